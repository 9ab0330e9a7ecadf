/** What only a real wire shows: the order of requests, the bytes sent again, replies lost over and over. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Writer } from '../../cluster/kafka/ports.ts'
import { API, type FaultProxy, type Request } from '../support/proxy.ts'
import { uniqueName } from '../support/services.ts'
import { collect } from './collect.ts'
import { type RealWorld, realWorld } from './real.ts'
import { part } from './records.ts'
import type { Step } from './world.ts'

let world: RealWorld
let proxy: FaultProxy
beforeAll(async () => {
  world = await realWorld()
  const [first] = world.cluster.proxies
  if (first === undefined) throw new Error('a cluster has a proxy')
  proxy = first
})
afterAll(() => world?.close())

const topicOf = async (partitions = 1): Promise<string> => {
  const topic = uniqueName('wire')
  await world.makeTopic(topic, { partitions })
  return topic
}
const opened = async (topic: string): Promise<Writer> => {
  const writer = await world.writer(topic)
  expect(await writer.fence()).toEqual({ result: 'open' })
  return writer
}
const visible = async (topic: string, partition = 0): Promise<string[]> => {
  const reader = await world.reader(topic)
  const sink = await collect(reader, partition, 0).position(await world.decidedEnd(topic, partition))
  await reader.stop()
  return sink.values
}
const letters: ReadonlyMap<number, string> = new Map([
  [API.addPartitionsToTxn, 'A'],
  [API.produce, 'P'],
  [API.endTxn, 'E'],
])
/** The requests of transactions since `from`, a letter each. */
const transactionsSince = (from: number): string =>
  proxy.seen
    .slice(from)
    .map((key) => letters.get(key) ?? '')
    .join('')
/** The broker has answered somebody else meanwhile. */
const roundTrip = (topic: string): Promise<number> => world.decidedEnd(topic, 0)

describe('the barrier', () => {
  const next: Readonly<Record<'add' | 'produce', Step>> = { add: 'produce', produce: 'end' }
  for (const step of ['add', 'produce'] as const)
    test(`nothing of the next step is sent before the ${step} is answered`, async () => {
      const topic = await topicOf(2)
      const other = await topicOf()
      const writer = await opened(topic)
      await writer.transact([part(topic, 0, 'all leaders are known now'), part(topic, 1, 'b')])
      const { held, release } = world.holdReply(step)
      const before = world.seen(next[step])
      const result = writer.transact([part(topic, 0, 'a'), part(topic, 1, 'b')])
      await held
      await roundTrip(other)
      expect(world.seen(next[step])).toBe(before)
      release()
      expect(await result).toMatchObject({ result: 'committed' })
    })

  test('the second batch of a partition waits for the answer to the first', async () => {
    const topic = await topicOf()
    const writer = await opened(topic)
    const before = world.seen('produce')
    const { held, release } = world.holdReply('produce')
    const result = writer.transact([part(topic, 0, 'a'), part(topic, 0, 'b')])
    await held
    await roundTrip(await topicOf())
    expect(world.seen('produce')).toBe(before + 1)
    release()
    expect(await result).toMatchObject({ result: 'committed', offsets: [0, 1] })
  })

  test('a transaction ends only when its end is answered', async () => {
    const topic = await topicOf()
    const writer = await opened(topic)
    const { held, release } = world.holdReply('end')
    let ended = false
    const result = writer.transact([part(topic, 0, 'a')]).finally(() => {
      ended = true
    })
    await held
    await roundTrip(await topicOf())
    expect(ended).toBe(false)
    await expect(writer.transact([part(topic, 0, 'b')])).rejects.toThrow(/one transaction/)
    release()
    expect(await result).toMatchObject({ result: 'committed' })
  })

  test('transactions of one writer never interleave', async () => {
    const topic = await topicOf(3)
    const writer = await opened(topic)
    const from = proxy.seen.length
    for (let turn = 0; turn < 30; turn++) {
      const parts = Array.from({ length: 1 + (turn % 4) }, (_, index) => part(topic, index % 3, `${turn}`))
      expect(await writer.transact(parts)).toMatchObject({ result: 'committed' })
    }
    expect(transactionsSince(from)).toMatch(/^(A+P+E){30}$/)
  })
})

test('after a lost reply the very same bytes go out again', async () => {
  const topic = await topicOf(2)
  const writer = await opened(topic)
  const produces: Request[] = []
  const dropped = proxy.dropNextResponse((request) => {
    if (request.apiKey !== API.produce) return false
    produces.push(request)
    return produces.length === 1
  })
  const again = proxy.dropNextResponse((request) => {
    if (request.apiKey === API.produce) produces.push(request)
    return false
  })
  void again
  const parts = [part(topic, 0, 'a', 'b'), part(topic, 1, 'c')]
  expect(await writer.transact(parts)).toMatchObject({ result: 'committed', offsets: [0, 0] })
  await dropped
  const [first, second] = produces
  expect(produces.length).toBeGreaterThanOrEqual(2)
  const AFTER_CORRELATION = 12
  expect(second?.bytes.subarray(AFTER_CORRELATION)).toEqual(first?.bytes.subarray(AFTER_CORRELATION))
  expect(await visible(topic, 0)).toEqual(['a', 'b'])
})

test('whatever replies are lost, and however often, nothing is lost, doubled or out of order', async () => {
  const topic = await topicOf(2)
  const writer = await opened(topic)
  const steps = fc.constantFrom<Step>('init', 'add', 'produce', 'end')
  const turns = fc.array(fc.record({ step: steps, times: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 12,
    maxLength: 12,
  })
  const seed = Date.now() % 2 ** 31
  console.log(`seed ${seed}`)
  const [chosen = []] = fc.sample(turns, { seed, numRuns: 1 })
  for (const [turn, { step, times }] of chosen.entries()) {
    const lost = Promise.all(Array.from({ length: times }, () => world.loseReply(step)))
    if (step === 'init') expect(await writer.reopen()).toEqual({ result: 'open' })
    const parts = [part(topic, 0, `${turn}`), part(topic, 1, `${turn}`), part(topic, 0, `${turn}'`)]
    expect(await writer.transact(parts)).toMatchObject({ result: 'committed' })
    await lost
  }
  const turnsOf = chosen.map((_, turn) => `${turn}`)
  expect(await visible(topic, 0)).toEqual(turnsOf.flatMap((turn) => [turn, `${turn}'`]))
  expect(await visible(topic, 1)).toEqual(turnsOf)
}, 60_000)
