/** Guarantee: no leader, or two of them at once, harm nothing: work goes on, and Kafka refuses the plan of the deposed one. */
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { coordinatorTransactionalId } from '../../cluster/protocol/names.ts'
import type { CoordinatorStatus } from '../../coordinator/coordinator.ts'
import { type Running, TestCluster, until } from '../support/cluster.ts'
import { API } from '../support/proxy.ts'
import { startKafkaBehindProxies, useServices } from '../support/services.ts'
import { timeOf, underLoad } from '../support/under-load.ts'

const LEASE = 3000
/** Stated; awaited five times as long. */
const TAKES_OVER_MS = LEASE + 2000
const DEADLINE = 5 * TAKES_OVER_MS
const LEADS = / leads, term /

let kafka: Awaited<ReturnType<typeof startKafkaBehindProxies>>
beforeAll(async () => {
  kafka = await startKafkaBehindProxies()
})
afterAll(() => kafka.stop())

const openCluster = async (): Promise<TestCluster> => {
  const { redis } = await useServices()
  return TestCluster.open({ kafka: kafka.addresses, redis, settings: { lease: LEASE } })
}

const standingBy = async (cluster: TestCluster): Promise<Running> => {
  const standby = cluster.run('coordinator')
  await standby.says(/serves http/, 60_000)
  return standby
}

const statusOf = async ({ lines }: Running): Promise<CoordinatorStatus> => {
  const url = lines.map((line) => /serves (http:\S+)/.exec(line)?.[1]).find((found) => found !== undefined)
  return (await fetch(url ?? '')).json() as Promise<CoordinatorStatus>
}

test('kill -9 of the leader: a standby leads within lease + 2 s; meanwhile every partition moves and no slot does', {
  timeout: 240_000,
}, async () => {
  await using cluster = await openCluster()
  const { coordinator } = await cluster.start(2)
  const standby = await standingBy(cluster)
  await underLoad(cluster, 'leader-killed', async ({ timeline }) => {
    const { length } = timeline.claims
    const plan = (await statusOf(coordinator)).plans[0]
    const killed = Date.now()
    expect(await coordinator.stop('SIGKILL')).toBe('SIGKILL')
    await standby.says(LEADS, DEADLINE)
    const led = timeOf(standby, LEADS)
    await timeline.goOn(60_000)
    const silence = timeline.longestSilence({ from: killed, to: led })
    console.info(`leader killed: another leads after ${led - killed} ms (stated: ${TAKES_OVER_MS});`)
    console.info(`  longest that a partition stood still meanwhile: ${silence} ms`)
    expect(timeline.still({ from: killed, to: led })).toEqual([])
    // It goes on with the plan there is: nobody claims anything.
    expect((await statusOf(standby)).plans[0]).toEqual(plan)
    expect(timeline.claims.slice(length)).toEqual([])
  })
})

test('two leaders at once: the one that is thawed in the middle of writing a plan is refused by Kafka and stands by', {
  timeout: 240_000,
}, async () => {
  const [proxy] = kafka.proxies
  if (proxy === undefined) throw new Error('no proxy')
  await using cluster = await openCluster()
  const { coordinator } = await cluster.start(1)
  const leaver = cluster.run('worker', '--processes', '1')
  await leaver.says(/plan \d+: owns 2 slots/, 60_000)
  const standby = await standingBy(cluster)
  const transactionalId = coordinatorTransactionalId(cluster.settings.topicPrefix)
  await underLoad(cluster, 'two-leaders', async ({ timeline }) => {
    // Its plan for the slots of a worker that leaves has begun: a transaction is open, and it does not know yet.
    const reply = proxy.holdReply(API.addPartitionsToTxn, ({ bytes }) => bytes.includes(transactionalId))
    const left = leaver.stop()
    await reply.held
    coordinator.child.kill('SIGSTOP')
    reply.release()
    try {
      await standby.says(LEADS, DEADLINE)
      await standby.says(/: plan \d+, 4 slots on 1 workers/, DEADLINE)
      expect(await left).toBe(0)
      await timeline.goOn(60_000)
    } finally {
      coordinator.child.kill('SIGCONT')
    }
    await coordinator.says(/leads no more after term \d+: a later leader writes/, 60_000)
    // What it had begun to write is nowhere: it follows the plans of the other.
    await until('it has the plan of the other', 60_000, async () => {
      const [was, is] = await Promise.all([statusOf(coordinator), statusOf(standby)])
      expect([was.leading, is.leading]).toEqual([false, true])
      expect(is.plans[0]?.leader).toBe(is.id)
      return isDeepStrictEqual(was.plans, is.plans)
    })
  })
})
