import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { EventBus } from '../../../cluster/events.ts'
import { ByteReader } from '../../../cluster/kafka/bytes.ts'
import { stamp } from '../../../cluster/kafka/codec/stamp.ts'
import { CODE } from '../../../cluster/kafka/codes.ts'
import { KafkaReader } from '../../../cluster/kafka/reader.ts'
import { Collector, collect } from '../../ports/collect.ts'
import { FakeLog } from '../../ports/fake/log.ts'
import { part } from '../../ports/records.ts'
import { fetchReply, type ReplyPartition } from './replies.ts'
import { type Asked, scripted, topicIdOf } from './scripted.ts'

const T = 't'
const ID = topicIdOf(1)

/** What a fetch asks for: partition and offset, in its order. */
const wantedOf = ({ body }: Asked) => {
  const reader = new ByteReader(body)
  reader.tags()
  reader.at += 4
  const maxWait = reader.int32()
  reader.at += 4 + 4 + 1 + 4 + 4
  const partitions = reader.compactArray(() => {
    const topicId = reader.uuid()
    const found = reader.compactArray(() => {
      const partition = reader.int32()
      reader.int32()
      const offset = reader.int64()
      reader.at += 4 + 8 + 4
      reader.tags()
      return { topicId, partition, offset }
    })
    reader.tags()
    return found
  })
  return { maxWait, partitions: partitions.flat() }
}

const logOf = (...values: readonly string[]): FakeLog => {
  const log = new FakeLog()
  for (const [index, value] of values.entries()) {
    const { bytes } = part(T, 0, value)
    stamp(bytes, 1, 0, index)
    log.append(bytes)
  }
  log.mark({ producerId: 1, epoch: 0 }, 'commit', 0)
  return log
}

const readers: KafkaReader[] = []
afterEach(async () => {
  await Promise.all(readers.splice(0).map((reader) => reader.stop()))
})

type Serve = (partition: number, offset: number, asked: Asked) => Partial<ReplyPartition> | 'lost'

const setup = async (serve: Serve, leaders: readonly number[]) => {
  const world = await scripted({ topic: T, topicId: ID, leaders }, async (asked) => {
    await setImmediate()
    const { partitions } = wantedOf(asked)
    const answers = partitions.map((one) => ({ ...one, answer: serve(one.partition, one.offset, asked) }))
    if (answers.some(({ answer }) => answer === 'lost')) throw new Error('lost')
    return fetchReply(
      answers.map(({ topicId, partition, answer }) => ({
        topicId,
        partition,
        ...(answer === 'lost' ? {} : answer),
      })),
    )
  })
  world.connections.nodes = [1, 2]
  const events = new EventBus()
  const reader = new KafkaReader(world.topology, { topic: T, fetchBytes: 1000, fetchWait: 50 }, events)
  readers.push(reader)
  return { ...world, reader, events }
}
const serving =
  (...logs: readonly FakeLog[]): Serve =>
  (partition, offset) => {
    const log = logs[partition]
    return log === undefined ? {} : { stable: log.stable, ...log.read(offset, 1000) }
  }
const fetches = (asked: readonly Asked[], nodeId: number) =>
  asked.filter((one) => one.name === 'Fetch' && one.nodeId === nodeId).map(wantedOf)

describe('the reader', () => {
  test('asks each leader for its own partitions alone, by topic id', async () => {
    const { reader, connections } = await setup(serving(logOf('a'), logOf('b'), logOf('c')), [1, 2, 1])
    const sinks = [0, 1, 2].map((partition) => collect(reader, partition, 0))
    for (const sink of sinks) await sink.position(2)
    for (const { partitions } of fetches(connections.asked, 1))
      for (const { partition, topicId } of partitions) expect([partition % 2, topicId]).toEqual([0, ID])
    for (const { partitions } of fetches(connections.asked, 2))
      expect(partitions).toMatchObject([{ partition: 1 }])
  })

  test('each partition of a leader is first in its turn, however many leaders there are', async () => {
    const { reader, connections } = await setup(() => ({}), [1, 1, 2, 2])
    for (const partition of [0, 1, 2, 3]) collect(reader, partition, 0)
    while (connections.named('Fetch').length < 40) await setImmediate()
    for (const node of [1, 2]) {
      const firsts = fetches(connections.asked, node).flatMap(({ partitions }) =>
        partitions.length === 2 ? [partitions[0]?.partition] : [],
      )
      for (let at = 1; at < firsts.length; at++) expect(firsts[at]).not.toBe(firsts[at - 1])
    }
  })

  test('a full partition is left out, and the others are not asked to wait long', async () => {
    const { reader, connections } = await setup(() => ({}), [1, 1])
    const full = new Collector(0, 0)
    full.full = true
    reader.open(0, 0, full)
    collect(reader, 1, 0)
    while (connections.named('Fetch').length < 5) await setImmediate()
    for (const { partitions, maxWait } of fetches(connections.asked, 1)) {
      expect(partitions).toMatchObject([{ partition: 1 }])
      expect(maxWait).toBeLessThan(50)
    }
  })

  test('where all are full it asks for nothing until it is woken', async () => {
    const { reader, connections } = await setup(serving(logOf('a')), [1])
    const sink = new Collector(0, 0)
    sink.full = true
    reader.open(0, 0, sink)
    for (let turn = 0; turn < 50; turn++) await setImmediate()
    expect(connections.asked).toEqual([])
    sink.full = false
    reader.wake()
    expect((await sink.count(1)).values).toEqual(['a'])
  })

  for (const code of [
    CODE.notLeader,
    CODE.fencedLeaderEpoch,
    CODE.unknownLeaderEpoch,
    CODE.offsetNotAvailable,
    CODE.storageError,
  ])
    test(`code ${code} has the metadata asked for again, and it reads on at the new leader`, async () => {
      const log = logOf('a')
      const world = await setup(
        (partition, offset, { nodeId }) => {
          if (nodeId === 2) return serving(log)(partition, offset, world.connections.asked[0] as Asked)
          world.state.topics = [{ topic: T, topicId: ID, leaders: [2] }]
          return { code }
        },
        [1],
      )
      expect((await collect(world.reader, 0, 0).count(1)).values).toEqual(['a'])
      expect(world.connections.named('Metadata').length).toBeGreaterThan(0)
    })

  test('a lost fetch is told and repeated', async () => {
    let lost = 2
    const log = logOf('a')
    const world = await setup((...args) => (lost-- > 0 ? 'lost' : serving(log)(...args)), [1])
    const told = world.events.next('waiting')
    expect((await collect(world.reader, 0, 0).count(1)).values).toEqual(['a'])
    expect(await told).toMatchObject({ for: 'kafka' })
  })

  test('while nobody leads a partition it goes on looking, and its neighbour goes on reading', async () => {
    const world = await setup(serving(logOf('a'), logOf('b')), [1, -1])
    const led = collect(world.reader, 0, 0)
    const orphan = collect(world.reader, 1, 0)
    await led.count(1)
    await world.events.next('waiting')
    expect(orphan.chunks).toEqual([])
    world.state.topics = [{ topic: T, topicId: ID, leaders: [1, 2] }]
    expect((await orphan.count(1)).values).toEqual(['b'])
  })

  test('a fault of one partition ends that one alone, told once', async () => {
    const good = logOf('b')
    const world = await setup(
      (partition, offset, asked) => {
        if (partition === 1) return serving(good, good)(partition, offset, asked)
        return { code: partition === 0 ? CODE.offsetOutOfRange : CODE.topicAuthorization, start: 5 }
      },
      [1, 1, 1],
    )
    const sinks = [0, 1, 2].map((partition) => collect(world.reader, partition, 0))
    expect(await sinks[0]?.faulted()).toMatchObject({
      fault: 'position-gap',
      detail: expect.stringContaining('5'),
    })
    expect(await sinks[2]?.faulted()).toMatchObject({ fault: 'kafka-auth' })
    expect((await sinks[1]?.count(1))?.values).toEqual(['b'])
    const so = world.connections.asked.length
    while (world.connections.asked.length < so + 5) await setImmediate()
    expect(sinks.map((sink) => sink.faults.length)).toEqual([1, 0, 1])
  })

  test('closed and opened elsewhere while a reply is under way: the reply is nobody’s', async () => {
    const release = Promise.withResolvers<void>()
    const log = logOf('a', 'b', 'c')
    let served = 0
    const world = await setup(serving(log), [1])
    const { script } = world.connections
    world.connections.script = async (asked) => {
      const reply = await script(asked)
      if (asked.name === 'Fetch' && served++ === 0) await release.promise
      return reply
    }
    const first = collect(world.reader, 0, 2)
    while (served === 0) await setImmediate()
    world.reader.close(0)
    first.open = false
    const second = collect(world.reader, 0, 0)
    release.resolve()
    expect((await second.position(4)).values).toEqual(['a', 'b', 'c'])
    expect([...second.broken, ...first.broken]).toEqual([])
    expect(first.chunks).toEqual([])
  })

  test('a topic must be known before a partition of it is opened', async () => {
    const { topology } = await setup(() => ({}), [1])
    const reader = new KafkaReader(topology, { topic: 'other', fetchBytes: 1, fetchWait: 1 }, new EventBus())
    expect(() => collect(reader, 0, 0)).toThrow(/must be known/)
  })

  test('stop ends every loop, also those that wait', async () => {
    const { reader, connections } = await setup(() => ({}), [1, -1])
    collect(reader, 0, 0)
    const orphan = new Collector(1, 0)
    orphan.full = true
    reader.open(1, 0, orphan)
    while (connections.named('Fetch').length < 3) await setImmediate()
    await reader.stop()
    const { length } = connections.asked
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    expect(connections.asked).toHaveLength(length)
  })

  test('stop does not wait for a broker that stands still, and nothing comes of its late reply', async () => {
    const world = await setup(serving(logOf('a')), [1])
    const late = Promise.withResolvers<void>()
    const { script } = world.connections
    world.connections.script = async (asked) => {
      await late.promise
      return script(asked)
    }
    const sink = collect(world.reader, 0, 0)
    while (world.connections.named('Fetch').length === 0) await setImmediate()
    await world.reader.stop()
    late.resolve()
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    expect(sink.chunks).toEqual([])
  })
})
