/**
 * Guarantee: the rate that a real Prometheus shows is the rate that was produced, while workers come and go. It finds them through the
 * coordinator, and runs the shipped rules.
 */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { rules } from '../../telemetry/rules.ts'
import { clean, type Running, TestCluster, until } from '../support/cluster.ts'
import { type Prometheus, type Sample, startPrometheus } from '../support/prometheus.ts'
import { useServices } from '../support/services.ts'

const RATE = 500
const PARTITIONS = 8
/** Measured over so long, in seconds; workers come and go within it. */
const WINDOW_S = 30
const DEADLINE_MS = 90_000
/** What is wanted; on a machine that is busy with others it may be five times as much. */
const WANTED_OFF = 0.01
const MOST_OFF = 0.05

const shipped = ['rules', 'alerts'].map((name) =>
  fileURLToPath(new URL(`../../deploy/prometheus/${name}.yml`, import.meta.url)),
)

const urlOf = async (coordinator: Running): Promise<string> => {
  const says = /serves (http:\S+?)\/api\/status/
  await coordinator.says(says, 60_000)
  return says.exec(coordinator.lines.join('\n'))?.[1] ?? ''
}

const firstOf = async (prometheus: Prometheus, expr: string): Promise<number> =>
  (await prometheus.query(expr))[0]?.value ?? 0

/** Series that rise from a rate only where something fails, retries, alerts or is a sink's: what this run has none of. */
const eventful = /failures|retr|alert|sink|insights|halted|span|late|dead|parked|thread_deaths|restart/

test('1 worker, then 3, then 2: every process is found, and the rate holds', {
  timeout: 300_000,
}, async () => {
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis, partitions: PARTITIONS })
  const coordinator = cluster.run('coordinator')
  cluster.run('worker')
  await cluster.settled(60_000)
  const url = `${await urlOf(coordinator)}/sd/prometheus`
  const prometheus = await startPrometheus({
    ...{ discovery: { url }, rules: shipped, scrapeMs: 500, evaluationMs: 1000 },
  })
  try {
    const upAre = (role: string, count: number) =>
      prometheus.seen(`sum(up{millrace_role="${role}"})`, DEADLINE_MS, ([one]) => one?.value === count)
    await Promise.all([upAre('coordinator', 1), upAre('worker', 1)])
    const producing = cluster.produce(RATE * 120, { rate: RATE, seed: 7, corrupt: 0 })
    await prometheus.seen('sum(millrace:records:max)', DEADLINE_MS, ([one]) => (one?.value ?? 0) > RATE * 5)
    cluster.run('worker')
    const third = cluster.run('worker')
    await upAre('worker', 3)
    await until('all three own slots', DEADLINE_MS, async () => {
      const reports = await cluster.reports()
      return (
        reports.length === 3 && reports.every(({ owned }) => owned.some(({ state }) => state === 'running'))
      )
    })
    await third.stop()
    await cluster.settled(60_000)
    await upAre('worker', 2)
    const rate = `sum(rate(millrace:records:max[${WINDOW_S}s]))`
    const within = (most: number) => (samples: readonly Sample[]) =>
      Math.abs((samples[0]?.value ?? 0) / RATE - 1) < most
    // While the window still holds the last change.
    const [found] = await prometheus
      .seen(rate, WINDOW_S * 1000, within(WANTED_OFF))
      .catch(() => prometheus.seen(rate, DEADLINE_MS, within(MOST_OFF)))
    const naive = await firstOf(prometheus, `sum(rate(millrace_records_total[${WINDOW_S}s]))`)
    const off = Math.abs((found?.value ?? 0) / RATE - 1)
    console.info(
      `rates: produced ${RATE}/s, shown ${found?.value.toFixed(1)}/s (${(off * 100).toFixed(2)} % off); without the highest of all first ${naive.toFixed(1)}/s`,
    )
    await everyRule(prometheus)
    await producing
    await cluster.drained(60_000)
    expect(await cluster.audit()).toMatchObject(clean)
    const records = await cluster.written()
    await prometheus.seen('sum(millrace:records:max)', DEADLINE_MS, ([one]) => one?.value === records)
  } finally {
    await prometheus.stop()
  }
})

/** Each recorded series has data, and panels ask of nothing else (test/deploy/dashboards.test.ts); but those of what did not happen here. */
const everyRule = async (prometheus: Prometheus): Promise<void> => {
  const silent: string[] = []
  for (const name of Object.keys(rules).filter((one) => !eventful.test(one)))
    if ((await prometheus.query(name)).length === 0) silent.push(name)
  expect(silent, 'rules without data').toEqual([])
}
