import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CODE } from '../../cluster/kafka/codes.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { headerOf, invisible } from './support/batches.ts'
import { MemoryWriter, type Script } from './support/memory-ports.ts'
import { names } from './support/results.ts'
import { broken, committedTo, happened, ShardWorld } from './support/shard-world.ts'

let world: ShardWorld
const rejections: unknown[] = []
const note = (error: unknown) => rejections.push(error)
beforeEach(() => {
  world = new ShardWorld(2)
  rejections.length = 0
  process.on('unhandledRejection', note)
})
afterEach(async () => {
  await world.stop()
  process.off('unhandledRejection', note)
  expect(rejections).toEqual([])
})

const OK = { n: 1 }
const mixed = [OK, { do: 'dead' }, { do: 'drop' }, OK, { do: 'drop' }, { do: 'drop' }]

describe('a shard that runs', () => {
  test('gives every record of its partitions exactly one fate, in order', async () => {
    world.produce(0, ...mixed)
    const started = world.start()
    await committedTo(world, started, 0, 6)
    world.produce(1, OK, OK)
    world.produce(0, OK)
    await committedTo(world, started, 0, 7)
    await committedTo(world, started, 1, 2)
    expect(world.audit()).toEqual({ outputs: 5, letters: 1, drops: 2 })
    const origins = world.kafka.records('out').filter((one) => one.partition === 0)
    expect(origins.map((one) => headerOf(one, HEADER.origin))).toEqual(['in/0/0', 'in/0/3', 'in/0/6'])
  })

  test('claims first, then writes its first positions, and only then reads', async () => {
    world.produce(0, OK)
    const started = world.start()
    await happened(started, 'claimed')
    expect(started.shard.report()).toMatchObject({ state: 'running', epoch: 1, slot: 0 })
    const [claim, birth] = started.writer.committed
    expect([claim?.length, birth?.length]).toEqual([1, 1])
    expect([...world.state.keys()].slice(0, 4)).toEqual(['claim', 'meta', 'position/0', 'position/1'])
  })

  test('goes on where another left off, with its aggregates', async () => {
    world.produce(0, OK, OK)
    const first = world.start()
    await committedTo(world, first, 0, 2)
    await first.shard.release(2000)
    world.produce(0, OK)
    const second = world.start({ epoch: 2 })
    await committedTo(world, second, 0, 3)
    expect(world.audit()).toEqual({ outputs: 3, letters: 0, drops: 0 })
    const events = world.published.flatMap(({ windows }) =>
      windows.filter(({ aggregate }) => aggregate === 'all'),
    )
    expect(events.some(({ value }) => value === 2)).toBe(true)
  })

  test('publishes what is committed, never what is not', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    started.writer.scripts.push(async () => ({ result: 'unclear', reason: 'test' }))
    world.produce(0, OK)
    await committedTo(world, started, 0, 1)
    await started.shard.release(2000)
    const values = world.published.flatMap(({ windows }) =>
      windows.filter(({ aggregate }) => aggregate === 'all'),
    )
    const offsets = world.kafka
      .records(names.state)
      .filter(({ key }) => key?.toString() === 'window/all/total/0')
    expect(values.map(({ value, offset }) => [value, offset])).toContainEqual([1, offsets[0]?.offset])
    for (const { offset } of values) expect(offsets.map((one) => one.offset)).toContain(offset)
  })

  test('a window that closed while a batch ran: the batch runs again and its record is marked late', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    world.pool.hold()
    world.produce(1, { at: 1000 })
    world.produce(0, { at: 5 })
    await world.pool.arrived
    world.pool.go()
    await committedTo(world, started, 1, 1)
    await committedTo(world, started, 0, 1)
    world.produce(0, { at: 5 })
    await committedTo(world, started, 0, 2)
    const late = world.kafka.records('out').filter((one) => headerOf(one, HEADER.late) === 'short')
    expect(late.map((one) => headerOf(one, HEADER.origin))).toContain('in/0/1')
    world.audit()
  })

  test('a paused partition stands where it is, the others go on; resumed it goes on without a gap', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    world.produce(0, OK)
    await committedTo(world, started, 0, 1)
    // One batch is with a thread, two wait behind it: the one is finished, the others are read again.
    world.pool.hold()
    world.produce(0, OK)
    await world.pool.arrived
    world.produce(0, OK)
    world.produce(0, OK)
    started.shard.pause(new Set([0]))
    world.pool.go()
    await committedTo(world, started, 0, 2)
    world.produce(1, OK, OK)
    await committedTo(world, started, 1, 2)
    world.produce(0, OK)
    world.produce(1, OK)
    await committedTo(world, started, 1, 3)
    expect(world.position(0)).toBe(2)
    expect(started.reader.reading).toEqual([1])
    expect(started.shard.report().partitions.map(({ paused }) => paused)).toEqual([true, undefined])
    started.shard.pause(new Set())
    await committedTo(world, started, 0, 5)
    expect(world.audit().outputs).toBe(8)
  })

  test('paused, resumed and paused again in one turn: nothing is read twice or passed over', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    for (let round = 0; round < 20; round++) {
      world.produce(0, OK)
      world.produce(0, OK)
      for (const paused of [[0], [], [0, 1], [1]]) started.shard.pause(new Set(paused))
      await committedTo(world, started, 0, 2 * (round + 1))
    }
    expect(world.audit().outputs).toBe(40)
  })

  test('a partition that is paused from the start is claimed and not read, also after a reopen', async () => {
    world.produce(0, OK)
    world.produce(1, OK)
    const started = world.start()
    started.shard.pause(new Set([0]))
    await committedTo(world, started, 1, 1)
    started.writer.scripts.push(async () => ({ result: 'unclear', reason: 'test' }))
    world.produce(1, OK)
    await committedTo(world, started, 1, 2)
    expect(world.position(0)).toBe(0)
    started.shard.pause(new Set())
    await committedTo(world, started, 0, 1)
    world.audit()
  })

  test('one that stands still in a transaction is let go of: the next owner goes on, what comes late changes nothing', async () => {
    const first = world.start()
    await happened(first, 'claimed')
    const late = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<string>()
    first.writer.scripts.push(async (_parts, commit) => {
      begun.resolve()
      await late.promise
      const result = commit()
      ended.resolve(result.result)
      return result
    })
    world.produce(0, OK)
    await begun.promise
    first.shard.abandon()
    expect(first.reader.reading).toEqual([])
    const second = world.start({ epoch: 1 })
    await committedTo(world, second, 0, 1)
    late.resolve()
    expect(await ended.promise).toBe('fenced')
    world.produce(0, OK)
    await committedTo(world, second, 0, 2)
    expect(world.audit().outputs).toBe(2)
  })

  test('one that stands still in its takeover reads nothing when that ends after all', async () => {
    const late = Promise.withResolvers<void>()
    const writer = new MemoryWriter(world.kafka, world.epochs)
    const begun = Promise.withResolvers<void>()
    writer.scripts.push(async (_parts, commit) => {
      begun.resolve()
      const result = commit()
      await late.promise
      return result
    })
    const first = world.start({}, writer)
    first.events.on('claimed', () => note(new Error('it claims after all')))
    await begun.promise
    first.shard.abandon()
    late.resolve()
    await first.shard.stopped
    expect(first.reader.reading).toEqual([])
  })

  test('takes in partitions that the input gained', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    for (const topic of ['in', 'out', 'dlq']) world.kafka.addPartition(topic)
    world.produce(2, OK, OK)
    started.shard.extend([2])
    await committedTo(world, started, 2, 2)
    world.audit()
  })

  test('never opens the writer beside a transaction: one that began meanwhile ends first', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    for (const topic of ['in', 'out', 'dlq']) world.kafka.addPartition(topic)
    world.produce(2, OK)
    const began = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    started.writer.scripts.push(async (_parts, commit) => {
      began.resolve()
      await end.promise
      return commit()
    })
    // In one turn: the reopen is on its way when a position becomes due.
    started.shard.extend([2])
    started.reader.give(invisible(0, 0, 3))
    await began.promise
    // Longer than the pause before a reopen.
    setTimeout(() => end.resolve(), 300)
    await committedTo(world, started, 2, 1)
    expect(started.writer.broken).toEqual([])
    expect(world.position(0)).toBe(3)
  })
})

describe('a transaction that is not simply committed', () => {
  test.each(['committed', 'lost'])(
    'unclear and in truth %s: the state tells, nothing is lost or doubled',
    async (truth) => {
      const started = world.start()
      await happened(started, 'claimed')
      started.writer.scripts.push(async (_parts, commit) => {
        if (truth === 'committed') commit()
        return { result: 'unclear', reason: 'the reply was lost' }
      })
      world.produce(0, ...mixed)
      expect(await happened(started, 'reopened')).toEqual({ slot: 0, reason: 'the reply was lost' })
      world.produce(0, OK)
      await committedTo(world, started, 0, 7)
      expect(world.audit()).toEqual({ outputs: 3, letters: 1, drops: 2 })
    },
  )

  test('unclear again while it reopens and while it claims: it tries until it is clear', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    const unclear = { result: 'unclear', reason: 'away' } as const
    started.writer.scripts.push(
      async () => unclear,
      async () => unclear,
    )
    started.writer.opens.push(async () => unclear)
    world.produce(0, ...mixed)
    await committedTo(world, started, 0, 6)
    world.audit()
  })

  test('results of an earlier incarnation are ignored', async () => {
    const started = world.start({ settings: { commitInterval: 0, batchesAhead: 4 } })
    await happened(started, 'claimed')
    world.pool.hold()
    world.produce(1, OK)
    await world.pool.arrived
    world.pool.go()
    started.writer.scripts.push(async () => {
      // While this transaction is under way another batch begins, and ends only after the reopen.
      world.pool.hold()
      world.produce(0, OK, OK)
      await world.pool.arrived
      return { result: 'unclear', reason: 'test' }
    })
    await happened(started, 'reopened')
    await happened(started, 'claimed')
    world.pool.go()
    await committedTo(world, started, 0, 2)
    await committedTo(world, started, 1, 1)
    expect(started.shard.report().state).toBe('running')
    expect(world.audit().outputs).toBe(3)
  })

  test('a task of an earlier incarnation that fails halts nobody', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    started.writer.scripts.push(async () => {
      world.pool.hold()
      world.produce(0, OK)
      await world.pool.arrived
      return { result: 'unclear', reason: 'test' }
    })
    world.produce(1, OK)
    await happened(started, 'claimed')
    world.pool.outcome = () => {
      world.pool.outcome = undefined
      return { ok: false, cause: 'closed' }
    }
    world.pool.go()
    await committedTo(world, started, 0, 1)
    await committedTo(world, started, 1, 1)
    expect(started.shard.report()).toMatchObject({ state: 'running', reason: '' })
    world.audit()
  })

  test('a record that the broker can never write becomes a dead letter, its neighbours stay outputs', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    const refuse = (recordIndexes: readonly number[]) => async () =>
      ({ result: 'refused', part: 0, code: CODE.invalidTimestamp, detail: 'out/0', recordIndexes }) as const
    started.writer.scripts.push(refuse([1]))
    world.produce(0, OK, OK, OK)
    await committedTo(world, started, 0, 3)
    expect(world.audit()).toEqual({ outputs: 2, letters: 1, drops: 0 })
    const [letter] = world.kafka.records('dlq')
    expect(letter && [headerOf(letter, HEADER.origin), headerOf(letter, HEADER.errorCode)]).toEqual([
      'in/0/1',
      'output-timestamp-refused',
    ])
  })

  test('a batch that is too large is halved until the guilty record is alone', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    let tried = 0
    const picky: Script = (parts, commit) => {
      tried++
      const part = parts.findIndex(
        ({ topic, bytes }) => topic === 'out' && Buffer.from(bytes).includes('poison'),
      )
      if (part < 0) return commit()
      started.writer.scripts.push(picky)
      return { result: 'refused', part, code: CODE.messageTooLarge, detail: '', recordIndexes: [] }
    }
    started.writer.scripts.push(picky)
    world.produce(0, ...Array.from({ length: 9 }, (_, n) => (n === 6 ? { n: 'poison' } : OK)))
    await committedTo(world, started, 0, 9)
    expect(tried).toBe(5)
    expect(world.audit()).toEqual({ outputs: 8, letters: 1, drops: 0 })
  })

  test('refused, and the writer opens only at the second try: nothing is sent in between, nothing halts', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    world.pool.hold()
    world.produce(0, OK)
    await world.pool.arrived
    world.pool.go()
    started.writer.scripts.push(async () => {
      world.pool.hold()
      world.produce(1, OK)
      await world.pool.arrived
      return { result: 'refused', part: 0, code: CODE.invalidRecord, detail: '', recordIndexes: [0] }
    })
    started.writer.opens.push(async () => {
      // The other batch ends while the writer opens.
      world.pool.go()
      await new Promise((resolve) => setTimeout(resolve, 10))
      return { result: 'unclear', reason: 'away' }
    })
    await committedTo(world, started, 1, 1)
    await committedTo(world, started, 0, 1)
    expect(started.shard.report()).toMatchObject({ state: 'running', reason: '' })
    world.audit()
  })

  test('refused state: the shard halts by name, its position untouched', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    started.writer.scripts.push(async (parts) => ({
      result: 'refused',
      part: parts.length - 1,
      code: 10,
      detail: 'state/0: messageTooLarge',
      recordIndexes: [],
    }))
    world.produce(0, OK)
    expect(await happened(started, 'halted')).toMatchObject({ code: 'topic-mismatch' })
    expect(started.shard.report()).toMatchObject({ state: 'halted' })
    expect(world.position(0)).toBe(0)
  })

  test.each([
    [CODE.topicAuthorization, 'kafka-auth'],
    [CODE.unknownTopicOrPartition, 'topic-missing'],
  ])('code %i can never be cured by the shard: it halts as %s', async (code, name) => {
    const started = world.start()
    await happened(started, 'claimed')
    started.writer.scripts.push(async () => ({ result: 'halted', code, detail: 'out' }))
    world.produce(0, OK)
    expect(await happened(started, 'halted')).toMatchObject({ code: name })
    expect(world.position(0)).toBe(0)
  })

  test('fenced: it stops, and nothing is written after', async () => {
    world.produce(0, OK)
    const zombie = world.start()
    await committedTo(world, zombie, 0, 1)
    const owner = world.start({ epoch: 2 })
    await happened(owner, 'claimed')
    const before = zombie.writer.committed.length
    const fenced = happened(zombie, 'fenced')
    world.produce(0, OK)
    expect(await fenced).toEqual({ slot: 0, code: 47 })
    expect(zombie.shard.report()).toMatchObject({ state: 'fenced', reason: 'a newer owner exists' })
    await committedTo(world, owner, 0, 2)
    expect(zombie.writer.committed.length).toBe(before)
    expect(zombie.reader.reading).toEqual([])
    world.audit()
  })

  test('a zombie that reopens after an unclear end harms nobody', async () => {
    const zombie = world.start()
    await happened(zombie, 'claimed')
    zombie.writer.scripts.push(async () => {
      const owner = world.start({ epoch: 2 })
      await happened(owner, 'claimed')
      return { result: 'unclear', reason: 'test' }
    })
    world.produce(0, OK)
    expect(await happened(zombie, 'fenced')).toEqual({ slot: 0, code: 90 })
    const owner = world.started[1]
    while (world.position(0) < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(owner?.shard.report().state).toBe('running')
    world.audit()
  })

  test('a higher plan epoch has claimed before: it steps down', async () => {
    const newer = world.start({ epoch: 5 })
    await happened(newer, 'claimed')
    await newer.shard.release(2000)
    const older = world.start({ epoch: 4 })
    expect(await happened(older, 'fenced')).toEqual({ slot: 0, code: 0 })
    expect(older.reader.reading).toEqual([])
  })
})

describe('what it cannot read on', () => {
  test.each(['position-gap', 'topic-recreated', 'topic-missing', 'kafka-auth'] as const)(
    'fault %s: halted by that name, position untouched, nothing written after',
    async (fault) => {
      const started = world.start()
      world.produce(0, OK)
      await committedTo(world, started, 0, 1)
      const before = started.writer.committed.length
      started.reader.fail(1, { fault, detail: 'because' })
      const halted = started.shard.report().state === 'halted' || (await happened(started, 'halted'))
      expect(halted).toBeTruthy()
      expect(started.shard.report()).toMatchObject({ state: 'halted', reason: `${fault}: because` })
      world.produce(0, OK)
      started.reader.wake()
      await started.shard.release(2000)
      expect(started.writer.committed.length).toBe(before)
      expect(world.position(0)).toBe(1)
      world.audit()
    },
  )

  test('halted while a reopen is on its way: nothing is claimed any more', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    const before = started.writer.committed.length
    started.writer.scripts.push(async () => ({
      result: 'refused',
      part: 0,
      code: CODE.invalidRecord,
      detail: '',
      recordIndexes: [0],
    }))
    started.writer.opens.push(async () => {
      started.reader.fail(1, { fault: 'position-gap', detail: 'gap' })
      return { result: 'unclear', reason: 'away' }
    })
    world.produce(0, OK)
    await happened(started, 'halted')
    // Longer than the pause before a reopen.
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(started.writer.committed.length).toBe(before)
    expect(started.shard.report()).toMatchObject({ state: 'halted', reason: 'position-gap: gap' })
  })

  test('the input is made again between the takeover and the first fetch: no offset of the old one is asked of the new', async () => {
    world.produce(0, OK, OK)
    const first = world.start()
    await committedTo(world, first, 0, 2)
    await first.shard.release(2000)
    const second = world.start({
      epoch: 2,
      first: { hasRun: async () => false, taken: async () => new Map() },
    })
    second.events.on('claimed', () => world.kafka.make('in', 2, 'new'))
    expect(await happened(second, 'halted')).toMatchObject({ code: 'topic-recreated' })
    expect(second.reader.reading).toEqual([])
  })

  test('a task that can never end in an outcome halts it by name', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    world.pool.outcome = () => ({ ok: false, cause: 'error' })
    const deaths: string[] = []
    started.events.on('threadDied', ({ from, to }) => deaths.push(`${from}-${to}`))
    world.produce(0, OK, OK)
    expect(await happened(started, 'halted')).toMatchObject({ code: 'internal' })
    // It was told not to run the first one, and dies all the same: that may pass, for a while.
    expect(deaths.slice(0, 3)).toEqual(['0-2', '0-1', '0-1'])
    expect(deaths).toHaveLength(12)
    expect(world.position(0)).toBe(0)
  })
})

describe('insights by count', () => {
  const said = () => world.kafka.records('insights').map(({ value }) => JSON.parse(String(value)))
  const names = () => world.kafka.records('insights').map((one) => headerOf(one, HEADER.batch))
  beforeEach(() => {
    world = new ShardWorld(2, 'counting')
  })

  test('each third done record is told of, in the order of commits, and another owner goes on with the rest', async () => {
    world.produce(0, ...mixed)
    const first = world.start()
    await committedTo(world, first, 0, 6)
    expect(said()).toEqual([])
    world.produce(1, OK, OK, OK, OK)
    await committedTo(world, first, 1, 4)
    await first.shard.release(2000)
    expect(first.shard.report().waiting).toBe(0)
    world.produce(0, OK)
    const second = world.start({ epoch: 2 })
    await committedTo(world, second, 0, 7)
    world.produce(0, OK, OK)
    await committedTo(world, second, 0, 9)
    expect(said()).toEqual([3, 6, 9].map((all) => ({ all, these: 3 })))
    expect(names()).toEqual(['0/0/3', '0/1/3', '0/2/3'])
    expect(world.audit()).toEqual({ outputs: 9, letters: 1, drops: 2 })
  })

  test('an order publishes the rest, once, whoever owns the slot and however often it is heard', async () => {
    world.produce(0, OK, OK, OK, OK)
    const first = world.start()
    await committedTo(world, first, 0, 4)
    expect(first.shard.report().waiting).toBe(1)
    const published = happened(first, 'insights')
    first.shard.flush({ id: 'one' })
    await published
    first.shard.flush({ id: 'one' })
    await first.shard.release(2000)
    const second = world.start({ epoch: 2 })
    second.shard.flush({ id: 'one' })
    await happened(second, 'claimed')
    world.produce(0, OK)
    await committedTo(world, second, 0, 5)
    expect(names()).toEqual(['0/0/3', '0/1/1'])
    expect(said().at(-1)).toEqual({ all: 4, these: 1 })
    expect(second.shard.report()).toMatchObject({ waiting: 1, flushed: 'one' })
  })

  test('a transaction that comes to nothing publishes nothing, and its records count once', async () => {
    const started = world.start()
    await happened(started, 'claimed')
    started.writer.scripts.push(async () => ({ result: 'unclear', reason: 'test' }))
    world.produce(0, OK, OK, OK)
    await committedTo(world, started, 0, 3)
    expect(names()).toEqual(['0/0/3'])
    expect(world.audit()).toEqual({ outputs: 3, letters: 0, drops: 0 })
  })

  test('records of a batch that was bisected count like any others', async () => {
    const dies = { ok: false, cause: 'exit' } as const
    world.pool.outcome = (task) => (task.to - task.from > 2 ? dies : undefined)
    world.produce(0, OK, OK, OK, OK, OK)
    await committedTo(world, world.start(), 0, 5)
    expect(names()).toEqual(['0/0/3'])
    expect(world.audit()).toEqual({ outputs: 5, letters: 0, drops: 0 })
  })

  test('insights that cannot be worded stop the shard by name; nothing of that transaction is written', async () => {
    broken.now = true
    try {
      const started = world.start()
      world.produce(0, OK, OK, OK)
      expect(await happened(started, 'halted')).toMatchObject({ code: 'pipeline-insights' })
      expect(world.position(0)).toBe(0)
    } finally {
      broken.now = false
    }
  })
})
