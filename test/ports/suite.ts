/**
 * The one suite of the Reader and Writer ports: real Kafka and the fake pass the same tests.
 * "Nothing visible" is always told by a reader that has passed the end of what is decided, never by waiting.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CODE } from '../../cluster/kafka/codes.ts'
import type { Part, Reader, Writer } from '../../cluster/kafka/ports.ts'
import { uniqueName } from '../support/services.ts'
import { Collector, collect } from './collect.ts'
import { batch, part } from './records.ts'
import type { TopicOptions, World, WriterChoice } from './world.ts'

export const conformance = (name: string, make: () => Promise<World>): void => {
  let world: World
  const collectors: Collector[] = []
  const readers: Reader[] = []

  beforeAll(async () => {
    world = await make()
  })
  afterAll(() => world?.close())
  afterEach(async () => {
    world.thaw()
    await Promise.all(readers.splice(0).map((reader) => reader.stop()))
    for (const collector of collectors.splice(0)) expect(collector.broken).toEqual([])
  })

  const topicOf = async (options?: TopicOptions): Promise<string> => {
    const topic = uniqueName('suite')
    await world.makeTopic(topic, options)
    return topic
  }
  const open = async (id: string, choice?: WriterChoice): Promise<Writer> => {
    const writer = await world.writer(id, choice)
    expect(await writer.fence()).toEqual({ result: 'open' })
    return writer
  }
  const read = async (topic: string, from = 0, partition = 0): Promise<Collector> => {
    const reader = await world.reader(topic)
    readers.push(reader)
    return readWith(reader, from, partition)
  }
  const readWith = (reader: Reader, from = 0, partition = 0): Collector => {
    const collector = collect(reader, partition, from)
    collectors.push(collector)
    return collector
  }
  /** All that a read_committed reader sees up to the end of what is decided. */
  const visible = async (topic: string, partition = 0, from = 0): Promise<string[]> => {
    const end = await world.decidedEnd(topic, partition)
    if (end === from) return []
    return (await (await read(topic, from, partition)).position(end)).values
  }
  const committed = async (writer: Writer, ...parts: readonly Part[]): Promise<readonly number[]> => {
    const result = await writer.transact(parts)
    expect(result).toMatchObject({ result: 'committed' })
    return result.result === 'committed' ? result.offsets : []
  }

  describe(`${name}: fencing`, () => {
    test('a later owner fences the former for ever, and nothing of the former is seen', async () => {
      const topic = await topicOf()
      const former = await open(topic)
      await committed(former, part(topic, 0, 'former'))
      const owner = await open(topic)
      expect(await former.transact([part(topic, 0, 'too late')])).toMatchObject({ result: 'fenced' })
      await committed(owner, part(topic, 0, 'owner'))
      expect(await former.reopen()).toMatchObject({ result: 'fenced' })
      await committed(owner, part(topic, 0, 'still owner'))
      expect(await visible(topic)).toEqual(['former', 'owner', 'still owner'])
    })

    test('a takeover aborts what the predecessor left open', async () => {
      const topic = await topicOf()
      const left = await world.begin(topic)
      await left.produce([part(topic, 0, 'left open')])
      const owner = await open(topic)
      expect([CODE.producerFenced, CODE.invalidProducerEpoch]).toContain(await left.end('commit'))
      await committed(owner, part(topic, 0, 'owner'))
      expect(await visible(topic)).toEqual(['owner'])
    })

    test('a zombie that reopens while the owner is in the middle of a transaction harms nobody', async () => {
      const topic = await topicOf()
      const zombie = await open(topic)
      const owner = await open(topic)
      const { held, release } = world.holdReply('produce')
      const owned = owner.transact([part(topic, 0, 'owned')])
      await held
      expect(await zombie.reopen()).toMatchObject({ result: 'fenced' })
      release()
      expect(await owned).toMatchObject({ result: 'committed' })
      await committed(owner, part(topic, 0, 'and on'))
      expect(await visible(topic)).toEqual(['owned', 'and on'])
    })

    test('a late batch of a zombie does not join the transaction of the owner', async () => {
      const topic = await topicOf()
      const zombie = await world.begin(topic)
      await zombie.produce([part(topic, 0, 'in time')])
      const owner = await open(topic)
      const { held, release } = world.holdReply('produce')
      const owned = owner.transact([part(topic, 0, 'owned')])
      await held
      await expect(zombie.produce([part(topic, 0, 'late')], true)).rejects.toThrow(/Produce: (47|48|90)/)
      release()
      expect(await owned).toMatchObject({ result: 'committed' })
      expect(await visible(topic)).toEqual(['owned'])
    })

    test('the owner goes on after it has reopened', async () => {
      const topic = await topicOf()
      const writer = await open(topic)
      await committed(writer, part(topic, 0, 'one'))
      expect(await writer.reopen()).toEqual({ result: 'open' })
      expect(await writer.reopen()).toEqual({ result: 'open' })
      await committed(writer, part(topic, 0, 'two'))
      expect(await visible(topic)).toEqual(['one', 'two'])
    })

    test('a reopen whose answer never came is no fencing: the next one goes on', async () => {
      const topic = await topicOf()
      const writer = await open(topic, { transactionTimeout: 1000, requestTimeout: 3000 })
      const { held, release } = world.holdReply('init')
      const reopened = writer.reopen()
      await held
      expect(await reopened).toMatchObject({ result: 'unclear' })
      release()
      expect(await writer.reopen()).toEqual({ result: 'open' })
      await committed(writer, part(topic, 0, 'and on'))
      expect(await visible(topic)).toEqual(['and on'])
    })

    test('an owner whose transaction the broker has aborted, its time being over, goes on; a zombie does not', async () => {
      const topic = await topicOf()
      const zombie = await open(topic)
      const writer = await open(topic, { transactionTimeout: 1000, requestTimeout: 3000 })
      const { held, release } = world.holdReply('produce')
      const result = writer.transact([part(topic, 0, 'too slow')])
      await held
      expect(await result).toMatchObject({ result: 'unclear' })
      release()
      expect(await visible(topic)).toEqual([])
      expect(await zombie.reopen()).toMatchObject({ result: 'fenced' })
      expect(await writer.reopen()).toEqual({ result: 'open' })
      await committed(writer, part(topic, 0, 'and on'))
      expect(await visible(topic)).toEqual(['and on'])
    })

    test('without a fresh lease nothing goes out that fences', async () => {
      const topic = await topicOf()
      const writer = await world.writer(topic, { mayFence: () => false })
      const before = world.seen('init')
      expect(await writer.fence()).toMatchObject({ result: 'unclear' })
      expect(await writer.reopen()).toMatchObject({ result: 'unclear' })
      expect(world.seen('init')).toBe(before)
    })

    test('a writer that is not open writes nothing', async () => {
      const topic = await topicOf()
      const writer = await world.writer(topic)
      await expect(writer.transact([part(topic, 0, 'no')])).rejects.toThrow(/not open/)
      await writer.fence()
      const first = writer.transact([part(topic, 0, 'one')])
      await expect(writer.transact([part(topic, 0, 'beside it')])).rejects.toThrow(/one transaction/)
      await first
      await writer.close()
      await expect(writer.transact([part(topic, 0, 'closed')])).rejects.toThrow(/not open/)
      expect(await visible(topic)).toEqual(['one'])
    })
  })

  describe(`${name}: transactions`, () => {
    test('offsets are those of the records, also with several batches a partition', async () => {
      const topic = await topicOf({ partitions: 2 })
      const writer = await open(topic)
      for (const turn of [1, 2]) {
        const parts = [
          part(topic, 0, `${turn} a`, `${turn} b`),
          part(topic, 1, `${turn} c`),
          part(topic, 0, `${turn} d`, `${turn} e`, `${turn} f`),
          part(topic, 0, `${turn} g`),
        ]
        const offsets = await committed(writer, ...parts)
        for (const partition of [0, 1]) {
          const seen = await (await read(topic, 0, partition)).position(
            await world.decidedEnd(topic, partition),
          )
          const firsts = ['a', 'c', 'd', 'g'].map((letter) =>
            seen.records.find(({ value }) => value === `${turn} ${letter}`),
          )
          parts.forEach((one, index) => {
            if (one.partition === partition) expect(firsts[index]?.offset).toBe(offsets[index])
          })
        }
      }
      expect(await visible(topic, 0)).toEqual(
        ['1', '2'].flatMap((turn) => ['a', 'b', 'd', 'e', 'f', 'g'].map((letter) => `${turn} ${letter}`)),
      )
    })

    test('commits follow each other at once, and the waits between them are counted', async () => {
      const topic = await topicOf()
      const writer = await open(topic)
      const values = Array.from({ length: 40 }, (_, index) => `value ${index}`)
      let retries = 0
      for (const value of values) {
        const result = await writer.transact([part(topic, 0, value)])
        expect(result).toMatchObject({ result: 'committed' })
        if (result.result === 'committed') retries += result.concurrentRetries
      }
      expect(retries).toBeGreaterThan(0)
      expect(await visible(topic)).toEqual(values)
    })

    const tooLarge = 'x'.repeat(4000)
    const far = Date.now() + 10 * 86_400_000
    const refusals = {
      'too large': {
        code: CODE.messageTooLarge,
        config: { 'max.message.bytes': '2000' },
        guilty: { timestamp: Date.now(), key: 'k', value: tooLarge },
        indexes: [],
      },
      'without a key in a compacted topic': {
        code: CODE.invalidRecord,
        config: { 'cleanup.policy': 'compact' },
        guilty: { timestamp: Date.now(), key: null, value: 'keyless' },
        indexes: [1],
      },
      'with a time too far ahead': {
        code: CODE.invalidTimestamp,
        config: { 'message.timestamp.after.max.ms': '3600000' },
        guilty: { timestamp: far, key: 'k', value: 'tomorrow' },
        indexes: [1],
      },
    } as const
    for (const [what, { code, config, guilty, indexes }] of Object.entries(refusals))
      test(`a record ${what} is refused by name; nothing of its transaction is seen, and the writer goes on`, async () => {
        const strict = await topicOf({ config })
        const other = await topicOf({ partitions: 2 })
        const writer = await open(strict)
        const fine = { timestamp: Date.now(), key: 'k', value: 'fine' }
        const refused = await writer.transact([
          part(other, 0, 'beside it'),
          part(other, 1, 'beside it'),
          batch(strict, 0, [fine, guilty]),
        ])
        expect(refused).toMatchObject({ result: 'refused', part: 2, code, recordIndexes: indexes })
        await expect(writer.transact([part(other, 0, 'not yet')])).rejects.toThrow(/not open/)
        expect(await writer.reopen()).toEqual({ result: 'open' })
        await committed(writer, part(other, 0, 'after'), batch(strict, 0, [fine]))
        expect(await visible(other, 0)).toEqual(['after'])
        expect(await visible(other, 1)).toEqual([])
        expect(await visible(strict)).toEqual(['fine'])
      })

    test('a lost reply to any step changes nothing: not lost, not doubled', async () => {
      const topic = await topicOf({ partitions: 2 })
      const writer = await open(topic)
      for (const step of ['add', 'produce', 'end'] as const) {
        const lost = world.loseReply(step)
        await committed(
          writer,
          part(topic, 0, `${step} 1`),
          part(topic, 1, step),
          part(topic, 0, `${step} 2`),
        )
        await lost
      }
      expect(await visible(topic, 0)).toEqual(['add 1', 'add 2', 'produce 1', 'produce 2', 'end 1', 'end 2'])
      expect(await visible(topic, 1)).toEqual(['add', 'produce', 'end'])
    })

    test('a lost reply to the opening is asked for again', async () => {
      const topic = await topicOf()
      const writer = await world.writer(topic)
      for (const how of ['fence', 'reopen'] as const) {
        const lost = world.loseReply('init')
        expect(await writer[how]()).toEqual({ result: 'open' })
        await lost
        await committed(writer, part(topic, 0, how))
      }
      expect(await visible(topic)).toEqual(['fence', 'reopen'])
    })

    // It stands still for longer than its session (4 s): when it goes on, its own controller fences it, and all leaders are chosen anew.
    test('a broker that stands still makes the outcome unclear by the deadline, and later nothing is lost or doubled', {
      timeout: 120_000,
    }, async () => {
      const topic = await topicOf()
      const choice = { transactionTimeout: 3000, requestTimeout: 1000 }
      const writer = await open(topic, choice)
      await committed(writer, part(topic, 0, 'before'))
      await world.freeze()
      const started = performance.now()
      expect(await writer.transact([part(topic, 0, 'meanwhile')])).toMatchObject({ result: 'unclear' })
      expect(performance.now() - started).toBeLessThan(2500)
      expect(await writer.reopen()).toMatchObject({ result: 'unclear' })
      expect(performance.now() - started).toBeLessThan(6500)
      world.thaw()
      expect(await writer.reopen()).toEqual({ result: 'open' })
      await committed(writer, part(topic, 0, 'after'))
      expect(await visible(topic)).toEqual(['before', 'after'])
    })
  })

  describe(`${name}: reading`, () => {
    test('from every offset exactly the committed records are seen, however aborted transactions overlap', async () => {
      const topic = await topicOf()
      const expected: { offset: number; value: string }[] = []
      const begin = (index: number) => world.begin(`${topic}-${index}`)
      const [a, b, c, d] = await Promise.all([begin(0), begin(1), begin(2), begin(3)])
      const put = async (one: typeof a, value: string, kept: boolean) => {
        const [offset = -1] = await one.produce([part(topic, 0, `${value} 1`, `${value} 2`)])
        if (kept) expected.push({ offset, value: `${value} 1` }, { offset: offset + 1, value: `${value} 2` })
      }
      await put(a, 'a', false)
      await put(b, 'b', false)
      await put(c, 'c', true)
      await put(a, 'a again', false)
      await put(d, 'd', false)
      expect(await b.end('abort')).toBe(CODE.none)
      await put(b, 'b committed', true)
      expect(await a.end('abort')).toBe(CODE.none)
      await put(a, 'a committed', true)
      expect(await c.end('commit')).toBe(CODE.none)
      expect(await b.end('commit')).toBe(CODE.none)
      expect(await d.end('abort')).toBe(CODE.none)
      await put(b, 'b aborted', false)
      expect(await a.end('commit')).toBe(CODE.none)
      expect(await b.end('abort')).toBe(CODE.none)
      await committed(await open(topic), part(topic, 0, 'last'))
      const end = await world.decidedEnd(topic, 0)
      const all = (await (await read(topic)).position(end)).records
      expect(all.slice(0, -1)).toEqual(expected)
      for (let from = 1; from < end; from++) {
        const { records } = await (await read(topic, from)).position(end)
        expect(records).toEqual(all.filter(({ offset }) => offset >= from))
      }
    })

    test('what is not decided is not seen, and what follows it waits', async () => {
      const topic = await topicOf()
      const undecided = await world.begin(`${topic}-open`)
      const writer = await open(topic)
      await committed(writer, part(topic, 0, 'first'))
      const [offset = -1] = await undecided.produce([part(topic, 0, 'undecided')])
      await committed(writer, part(topic, 0, 'behind it'))
      const seen = await (await read(topic)).position(offset)
      expect(seen.values).toEqual(['first'])
      expect(seen.chunks.at(-1)).toMatchObject({ next: offset, lastStableOffset: offset })
      expect(await undecided.end('commit')).toBe(CODE.none)
      expect((await seen.count(3)).values).toEqual(['first', 'undecided', 'behind it'])
    })

    test('a position passes aborted transactions and markers up to the end', async () => {
      const topic = await topicOf()
      const aborted = await world.begin(topic)
      await aborted.produce([part(topic, 0, 'one', 'two')])
      await aborted.end('abort')
      const end = await world.decidedEnd(topic, 0)
      const { chunks, values } = await (await read(topic)).position(end)
      expect(values).toEqual([])
      expect(chunks.at(-1)).toMatchObject({ next: end, lastStableOffset: end, batches: [], records: 0 })
    })

    test('chunks follow each other without a gap while it is written', async () => {
      const topic = await topicOf({ partitions: 3 })
      const reader = await world.reader(topic)
      readers.push(reader)
      const sinks = [0, 1, 2].map((partition) => readWith(reader, 0, partition))
      const writer = await open(topic)
      const values = Array.from({ length: 20 }, (_, index) => `value ${index}`)
      for (const [index, value] of values.entries()) {
        const [paused] = sinks
        if (paused) paused.full = index % 3 === 0
        reader.wake()
        await committed(writer, ...[0, 1, 2].map((partition) => part(topic, partition, value, `${value}'`)))
      }
      const [paused] = sinks
      if (paused) paused.full = false
      reader.wake()
      for (const sink of sinks)
        expect((await sink.count(40)).values).toEqual(values.flatMap((value) => [value, `${value}'`]))
    })

    test('a full partition is left out, its neighbour goes on, and it goes on when it wants again', async () => {
      const topic = await topicOf({ partitions: 2 })
      const reader = await world.reader(topic)
      readers.push(reader)
      const full = new Collector(0, 0)
      full.full = true
      collectors.push(full)
      reader.open(0, 0, full)
      const other = readWith(reader, 0, 1)
      const writer = await open(topic)
      await committed(writer, part(topic, 0, 'full'), part(topic, 1, 'one'))
      await other.count(1)
      await committed(writer, part(topic, 1, 'two'))
      await other.count(2)
      expect(full.values).toEqual([])
      full.full = false
      reader.wake()
      expect((await full.count(1)).values).toEqual(['full'])
    })

    test('closed and opened again elsewhere, a reply under way belongs to nobody', async () => {
      const topic = await topicOf()
      const writer = await open(topic)
      for (const value of ['a', 'b', 'c']) await committed(writer, part(topic, 0, value))
      for (const [before, after, expected] of [
        [2, 0, ['a', 'b', 'c']],
        [0, 2, ['b', 'c']],
      ] as const) {
        const reader = await world.reader(topic)
        readers.push(reader)
        const { held, release } = world.holdReply('fetch')
        const first = readWith(reader, before)
        await held
        reader.close(0)
        first.open = false
        const second = readWith(reader, after)
        release()
        expect((await second.count(expected.length)).values).toEqual(expected)
        expect(first.chunks).toEqual([])
        await reader.stop()
      }
    })

    test('after stop nothing comes', async () => {
      const topic = await topicOf()
      const writer = await open(topic)
      await committed(writer, part(topic, 0, 'a'))
      const reader = await world.reader(topic)
      const sink = readWith(reader)
      await sink.count(1)
      await reader.stop()
      sink.open = false
      await committed(writer, part(topic, 0, 'b'))
      expect(await visible(topic)).toEqual(['a', 'b'])
      expect(sink.values).toEqual(['a'])
    })

    test('a position below the log start or beyond the end is a named gap, never a jump', async () => {
      const topic = await topicOf()
      const writer = await open(topic)
      for (const value of ['a', 'b', 'c', 'd']) await committed(writer, part(topic, 0, value))
      await world.deleteRecords(topic, 0, 4)
      for (const from of [0, 3, 1000]) {
        const sink = await read(topic, from)
        expect(await sink.faulted()).toMatchObject({ fault: 'position-gap' })
        expect(sink.chunks).toEqual([])
      }
      expect((await (await read(topic, 4)).count(2)).values).toEqual(['c', 'd'])
    })

    test('a topic deleted and made again is named, and nothing of the new one is read', async () => {
      const topic = await topicOf()
      const writer = await open(topic)
      await committed(writer, part(topic, 0, 'of the old one'))
      const sink = await read(topic)
      await sink.count(1)
      await world.deleteTopic(topic)
      await world.makeTopic(topic)
      await committed(await open(topic), ...['a', 'b', 'c'].map((value) => part(topic, 0, value)))
      expect(await sink.faulted()).toMatchObject({ fault: 'topic-recreated' })
      expect(sink.values).toEqual(['of the old one'])
    })

    test('a topic deleted for good is named', async () => {
      const topic = await topicOf({ partitions: 2 })
      await committed(await open(topic), part(topic, 0, 'a'), part(topic, 1, 'b'))
      const reader = await world.reader(topic)
      readers.push(reader)
      const sinks = [readWith(reader, 0, 0), readWith(reader, 0, 1)]
      for (const sink of sinks) await sink.count(1)
      await world.deleteTopic(topic)
      for (const sink of sinks) expect(await sink.faulted()).toMatchObject({ fault: 'topic-missing' })
    })

    test('a reader waits for a broker that stands still, and goes on with it', async () => {
      const topic = await topicOf()
      const writer = await open(topic)
      await committed(writer, part(topic, 0, 'before'))
      const sink = await read(topic)
      await sink.count(1)
      await world.freeze()
      const later = writer.transact([part(topic, 0, 'after')])
      world.thaw()
      expect(await later).toMatchObject({ result: 'committed' })
      expect((await sink.count(2)).values).toEqual(['before', 'after'])
    })
  })
}
