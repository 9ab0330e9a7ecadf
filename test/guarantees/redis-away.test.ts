/** Guarantee: Redis is not needed for right results. Away for long, or back with nothing: work goes on, then views catch up. */
import { expect, test } from 'vitest'
import { type Running, TestCluster, until } from '../support/cluster.ts'
import { startOwnRedis, useServices } from '../support/services.ts'
import { underLoad } from '../support/under-load.ts'

const LEASE = 3000
/** The long form: REDIS_AWAY_SECONDS=60. */
const AWAY_MS = Number(process.env.REDIS_AWAY_SECONDS ?? 15) * 1000
const NO_LEADER = /leads no more after term \d+: another leads, or Redis is away/
const LEADS = / leads, term /

const passed = (since: number, ms: number): Promise<void> =>
  until(`${ms} ms have passed`, ms + 60_000, async () => Date.now() > since + ms)

/** Two workers, each under a supervisor of its own. */
const startedOn = async (redis: string) => {
  const { kafka } = await useServices()
  const cluster = await TestCluster.open({ kafka, redis, settings: { lease: LEASE } })
  const { coordinator, workers } = await cluster.start(1)
  const second = cluster.run('worker', '--processes', '1')
  await second.says(/plan \d+: owns 2 slots/, 60_000)
  await cluster.settled(60_000)
  return { cluster, coordinator, workers: [workers, second] as const }
}

const pidOf = ({ lines }: Running): number =>
  Number(lines.map((line) => /runs, pid (\d+)/.exec(line)?.[1]).findLast((pid) => pid !== undefined))

/** Slots by the process that runs them. */
const slotsOf = async (cluster: TestCluster, running: Running): Promise<readonly number[]> => {
  const report = (await cluster.reports()).find(({ pid }) => pid === pidOf(running))
  return report?.owned.map(({ slot }) => slot).sort() ?? []
}

test(`Redis away for ${AWAY_MS / 1000} s, then back with nothing: records flow, no slot moves, nobody is called dead within a lease`, {
  timeout: 240_000 + AWAY_MS,
}, async () => {
  await using server = await startOwnRedis({ appendonly: 'no' })
  const { cluster, coordinator, workers } = await startedOn(server.url)
  await using all = cluster
  await underLoad(all, 'redis-away', async ({ timeline }) => {
    const [stays, goes] = workers
    const lost = await slotsOf(cluster, goes)
    expect(lost).toHaveLength(2)
    const [{ length }, away] = [timeline.claims, Date.now()]
    await server.kill()
    await coordinator.says(NO_LEADER, 60_000)
    for (const one of workers) await one.says(/waiting for Redis, to renew the lease/, 60_000)
    await passed(away, AWAY_MS)
    const over = Date.now()
    await timeline.goOn(60_000)
    console.info(`Redis away for ${over - away} ms: longest that a partition stood still`)
    console.info(`  ${timeline.longestSilence({ from: away, to: over })} ms`)
    for (let from = away; from + LEASE <= over; from += LEASE)
      expect(timeline.still({ from, to: from + LEASE })).toEqual([])
    expect(timeline.claims.slice(length), 'no slot moved, no shard began anew').toEqual([])
    expect(
      [coordinator, ...workers].flatMap(({ lines }) => lines.filter((line) => /ended/.test(line))),
    ).toEqual([])
    // Of two that an empty Redis knows nothing of, one is dead indeed: the leader cannot know before a lease has passed.
    const dead = pidOf(goes)
    goes.child.kill('SIGKILL')
    process.kill(dead, 'SIGKILL')
    await goes.exited
    const back = Date.now()
    await server.start()
    await coordinator.says(LEADS, 60_000, 2)
    await until('its slots are claimed', 60_000, async () => {
      await timeline.read()
      return timeline.claims.length >= length + lost.length
    })
    const claims = timeline.claims.slice(length)
    expect(claims.map(({ slot }) => slot).sort()).toEqual(lost)
    const first = Math.min(...claims.map(({ at }) => at))
    console.info(
      `Redis back with nothing: slots of the dead worker moved after ${first - back} ms (lease: ${LEASE})`,
    )
    expect(first - back).toBeGreaterThanOrEqual(LEASE)
    await timeline.goOn(60_000)
    expect(stays.count(/ended/)).toBe(0)
  })
})

test('Redis away, a worker killed meanwhile: it resumes its own slots without Redis; back with its data, nobody moves', {
  timeout: 240_000,
}, async () => {
  await using server = await startOwnRedis()
  const { cluster, coordinator, workers } = await startedOn(server.url)
  await using all = cluster
  await underLoad(all, 'redis-away-and-killed', async ({ timeline }) => {
    const [one] = workers
    const own = await slotsOf(cluster, one)
    const [{ length }, away] = [timeline.claims, Date.now()]
    await server.kill()
    await coordinator.says(NO_LEADER, 60_000)
    const killed = Date.now()
    process.kill(pidOf(one), 'SIGKILL')
    await one.says(/ended \(SIGKILL\)/, 60_000)
    await timeline.goOn(30_000)
    const again = timeline.claims.slice(length)
    expect(again.map(({ slot }) => slot).sort()).toEqual(own)
    console.info(
      `killed while Redis was away: runs again after ${Math.max(...again.map(({ at }) => at)) - killed} ms`,
    )
    await passed(away, 2 * LEASE)
    await server.start()
    await coordinator.says(LEADS, 60_000, 2)
    const led = Date.now()
    await passed(led, LEASE)
    await timeline.goOn(60_000)
    expect(timeline.claims.slice(length + own.length)).toEqual([])
  })
})
