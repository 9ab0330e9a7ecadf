/** The fake on virtual time: the same seed is the same run, and whatever goes wrong every transaction is whole or nothing, once. */
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CODE } from '../../cluster/kafka/codes.ts'
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts'
import { collect } from './collect.ts'
import { FakeReader } from './fake/reader.ts'
import { type FakeWorld, fakeWorld } from './fake/world.ts'
import { part } from './records.ts'
import type { Step } from './world.ts'

const step = fc.constantFrom<Step>('init', 'add', 'produce', 'end', 'fetch')
const trouble = fc.array(
  fc.oneof(
    fc.record({ what: fc.constant('lose' as const), step }),
    fc.record({ what: fc.constant('delay' as const), step, ms: fc.integer({ min: 1, max: 9000 }) }),
    fc.record({ what: fc.constant('freeze' as const), ms: fc.integer({ min: 1, max: 15_000 }) }),
    fc.record({ what: fc.constant('move' as const), partition: fc.nat(1) }),
    fc.record({
      what: fc.constant('refuse' as const),
      code: fc.constantFrom(CODE.notLeader, CODE.requestTimedOut, 48, 45),
    }),
    fc.record({ what: fc.constant('takeover' as const) }),
  ),
  { maxLength: 25 },
)
type Trouble = typeof trouble extends fc.Arbitrary<infer T> ? T : never

/** Runs `work` while the clock goes on, a millisecond at a time. */
const drive = async <T>(clock: VirtualClock, work: Promise<T>): Promise<T> => {
  let done = false
  const finished = work.finally(() => {
    done = true
  })
  for (let turn = 0; !done; turn++) {
    await clock.advance(turn < 200 ? 1 : 50)
    await setImmediate()
  }
  return finished
}

const T = 'topic'

const makeTrouble = (world: FakeWorld, one: Trouble[number]): void => {
  const { faults, clock } = world.kafka
  if (one.what === 'lose') void faults.loseReply(one.step)
  else if (one.what === 'delay') faults.delay(one.step, one.ms)
  else if (one.what === 'move') world.kafka.moveLeader(T, one.partition)
  else if (one.what === 'refuse') faults.refuse('produce', one.code)
  else if (one.what === 'freeze') {
    faults.freeze()
    clock.after(one.ms, () => faults.thaw(), 'holds')
  }
}

const play = async (troubles: Trouble) => {
  const clock = virtualClock()
  const world = fakeWorld(clock)
  world.kafka.makeTopic(T, { partitions: 2 })
  const story: { value: string; result: string }[] = []
  const run = async () => {
    let writer = await world.writer('id')
    let open = false
    for (const [turn, one] of troubles.entries()) {
      makeTrouble(world, one)
      if (one.what === 'takeover') {
        writer = await world.writer('id')
        open = false
      }
      while (!open) open = (await (turn % 2 === 0 ? writer.fence() : writer.reopen())).result === 'open'
      const value = `${turn}`
      const { result } = await writer.transact([
        part(T, 0, value),
        part(T, 1, value),
        part(T, 0, `${value}'`),
      ])
      story.push({ value, result })
      open = result === 'committed'
    }
    world.thaw()
    const end = await world.decidedEnd(T, 0)
    const ends = [end, await world.decidedEnd(T, 1)]
    const reader = new FakeReader(world.kafka, T)
    const sinks = [0, 1].map((partition) => collect(reader, partition, 0))
    for (const [partition, sink] of sinks.entries())
      if (ends[partition] !== 0) await sink.position(ends[partition] ?? 0)
    await reader.stop()
    return {
      story,
      ends,
      seen: sinks.map((sink) => sink.values),
      broken: sinks.flatMap((sink) => sink.broken),
    }
  }
  return { ...(await drive(clock, run())), at: clock.now() }
}

describe('the fake on virtual time', () => {
  test('whatever goes wrong, a transaction is seen whole or not at all, never twice, never out of order', async () => {
    let uncertain = 0
    await fc.assert(
      fc.asyncProperty(trouble, async (troubles) => {
        const { story, seen, broken } = await play(troubles)
        const [first = [], second = []] = seen
        const unclear = story.filter(({ result }) => result === 'unclear').map(({ value }) => value)
        uncertain += unclear.length
        const committed = story.filter(({ result }) => result === 'committed').map(({ value }) => value)
        expect(second.filter((value) => !unclear.includes(value))).toEqual(committed)
        expect(second).toEqual([...new Set(second)].sort((a, b) => Number(a) - Number(b)))
        expect(first).toEqual(second.flatMap((value) => [value, `${value}'`]))
        expect(broken).toEqual([])
      }),
      { numRuns: 60 },
    )
    expect(uncertain, 'troubles that were felt').toBeGreaterThan(10)
  })

  test('the same troubles are the same run, to the millisecond', async () => {
    const [troubles = []] = fc.sample(trouble, { numRuns: 1, seed: 7 })
    expect(await play(troubles)).toEqual(await play(troubles))
  })

  test('a transaction that nobody ends is aborted by the broker when its time is over', async () => {
    const clock = virtualClock()
    const world = fakeWorld(clock)
    world.kafka.makeTopic(T)
    const left = await drive(clock, world.begin('id'))
    await drive(clock, left.produce([part(T, 0, 'left')]))
    const log = world.kafka.log(T, 0)
    await clock.advance(29_000)
    expect(log.stable).toBe(0)
    await clock.advance(2000)
    expect(log.stable).toBe(log.end)
    expect(await drive(clock, left.end('commit'))).toBe(CODE.producerFenced)
  })
})
