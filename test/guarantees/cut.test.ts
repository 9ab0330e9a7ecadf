/** Guarantee: a worker that is cut off from Redis, or from Kafka, harms nobody, and takes part again when it is back. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Running, TestCluster, until } from '../support/cluster.ts'
import { API, clientIdOf, type FaultProxy, startProxy } from '../support/proxy.ts'
import { startKafkaBehindProxies, useServices } from '../support/services.ts'
import type { Timeline } from '../support/timeline.ts'
import { underLoad } from '../support/under-load.ts'

const LEASE = 4000
/** A worker asks every sixth of it whether Kafka answers. */
const STALL = 12_000

let kafka: Awaited<ReturnType<typeof startKafkaBehindProxies>>
let proxy: FaultProxy
let redisProxy: FaultProxy
let cluster: TestCluster
let others: Running
/** It reaches Redis through a proxy of its own. */
let cut: Running
let cutOff: string

beforeAll(async () => {
  const { redis } = await useServices()
  kafka = await startKafkaBehindProxies()
  const [first] = kafka.proxies
  if (first === undefined) throw new Error('no proxy')
  proxy = first
  redisProxy = await startProxy({ target: new URL(redis).host, protocol: 'raw' })
  cluster = await TestCluster.open({
    kafka: kafka.addresses,
    redis,
    settings: { lease: LEASE, stallTimeout: STALL },
  })
  ;({ workers: others } = await cluster.start(1))
  const known = (await cluster.reports()).map(({ worker }) => worker)
  const env = { ...cluster.env, MILLRACE_REDIS_URL: `redis://${redisProxy.address}` }
  cut = new Running(['worker', '--processes', '1'], env)
  await until('both own slots', 60_000, async () => {
    const reports = await cluster.reports()
    cutOff = reports.find(({ worker }) => !known.includes(worker))?.worker ?? ''
    return reports.length === 2 && reports.every(({ owned }) => owned.length === 2)
  })
})
afterAll(async () => {
  await cut.stop()
  await cluster[Symbol.asyncDispose]()
  await redisProxy.close()
  await kafka.stop()
})

/** By who claimed them last: partition = slot here. */
const partitionsOf = (timeline: Timeline, mine: (worker: string) => boolean): readonly number[] =>
  [...timeline.owners()].flatMap(([slot, worker]) => (mine(worker) ? [slot] : []))

/** Balance goes by cost: how many are its own is not said. */
const owns = (
  timeline: Timeline,
  worker: string,
  what: 'nothing' | 'something',
  deadlineMs: number,
): Promise<void> =>
  until(`${worker} owns ${what}`, deadlineMs, async () => {
    await timeline.read()
    return partitionsOf(timeline, (owner) => owner === worker).length > 0 === (what === 'something')
  })

const cutFromKafka = (): void => {
  for (const clientId of [cutOff, `${cutOff}-retries`]) proxy.cutClient(clientId)
}

test(
  'a worker cut off from Redis for longer than its lease: its slots move, it is fenced, and takes part again',
  {
    timeout: 240_000,
  },
  () =>
    underLoad(cluster, 'cut-from-redis', async ({ timeline }) => {
      const kept = partitionsOf(timeline, (worker) => worker !== cutOff)
      const [cutAt, fenced] = [Date.now(), cut.count(/: fenced/)]
      redisProxy.cut()
      await cut.says(/waiting for Redis, to renew the lease/, 60_000)
      // Without Redis it works on; in the middle of a transaction its slots become another's.
      await timeline.goOn(60_000)
      const reply = proxy.holdReply(API.produce, (request) => clientIdOf(request) === cutOff)
      await reply.held
      await owns(timeline, cutOff, 'nothing', 5 * (LEASE + 2000))
      const gone = Date.now()
      reply.release()
      await cut.says(new RegExp(`${cutOff} slot \\d+: fenced`), 60_000, fenced + 1)
      await timeline.goOn(60_000)
      redisProxy.resume()
      const healed = Date.now()
      await owns(timeline, cutOff, 'something', 60_000)
      await timeline.goOn(60_000)
      console.info(`cut off from Redis: its slots were another's after ${gone - cutAt} ms, it owned again`)
      console.info(
        `  ${(timeline.claims.at(-1)?.at ?? 0) - healed} ms after it came back; the others' longest silence:`,
      )
      console.info(`  ${timeline.longestSilence({ from: cutAt, to: healed }, kept)} ms`)
      expect(timeline.still({ from: cutAt, to: healed }, kept)).toEqual([])
      expect(cut.count(/ended/)).toBe(0)
    }),
)

test(
  'a worker cut off from Kafka for less than a lease: the others never pause, and it goes on where it stood',
  {
    timeout: 240_000,
  },
  () =>
    underLoad(cluster, 'cut-from-kafka', async ({ timeline }) => {
      const [mine, kept] = [true, false].map((own) =>
        partitionsOf(timeline, (worker) => (worker === cutOff) === own),
      )
      const { length } = timeline.claims
      const [from, refused] = [Date.now(), proxy.refused.length]
      cutFromKafka()
      await until('half a lease has passed', 60_000, async () => Date.now() > from + LEASE / 2)
      const to = Date.now()
      proxy.resume()
      await timeline.goOn(60_000)
      expect(timeline.still({ from, to }, kept)).toEqual([])
      expect(proxy.refused.slice(refused), 'the fault was seen').toContain(cutOff)
      expect(timeline.claims.slice(length).filter(({ worker }) => worker !== cutOff)).toEqual([])
      console.info(`cut off from Kafka for ${to - from} ms: the others' longest silence`)
      console.info(
        `  ${timeline.longestSilence({ from, to }, kept)} ms, its own ${timeline.longestSilence({ from, to: Date.now() }, mine)} ms`,
      )
      expect([...cut.lines, ...others.lines].filter((line) => /ended/.test(line))).toEqual([])
    }),
)

test(
  'a worker that sees Redis and not Kafka for longer than a lease: its slots move, and it takes part again',
  { timeout: 240_000 },
  () =>
    underLoad(cluster, 'cut-from-kafka-for-long', async ({ timeline }) => {
      const kept = partitionsOf(timeline, (worker) => worker !== cutOff)
      const [from, refused] = [Date.now(), proxy.refused.length]
      cutFromKafka()
      await owns(timeline, cutOff, 'nothing', 5 * (LEASE + STALL / 2))
      const moved = Date.now()
      await timeline.goOn(60_000)
      expect(proxy.refused.slice(refused), 'the fault was seen').toContain(cutOff)
      expect(moved - from, 'no sooner than a lease').toBeGreaterThan(LEASE)
      const to = Date.now()
      proxy.resume()
      await owns(timeline, cutOff, 'something', 60_000)
      await timeline.goOn(60_000)
      console.info(`cut off from Kafka: its slots were another's after ${moved - from} ms, it owned again`)
      console.info(
        `  ${(timeline.claims.at(-1)?.at ?? 0) - to} ms after it came back; the others' longest silence:`,
      )
      console.info(`  ${timeline.longestSilence({ from, to }, kept)} ms`)
      expect(timeline.still({ from, to }, kept)).toEqual([])
      expect([...cut.lines, ...others.lines].filter((line) => /ended/.test(line))).toEqual([])
    }),
)
