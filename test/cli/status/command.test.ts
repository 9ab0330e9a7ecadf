/** `millrace status` on real processes. */
import { expect, test } from 'vitest'
import { giveOrder } from '../../../cli/orders.ts'
import { settingsEnv } from '../../../cli/settings-env.ts'
import type { ClusterStatus } from '../../../cli/status/status.ts'
import { TestCluster, until } from '../../support/cluster.ts'
import { startOwnRedis, uniqueName, useServices } from '../../support/services.ts'
import { millrace, start } from '../millrace.ts'

const status = (cluster: TestCluster, ...args: readonly string[]) =>
  millrace(['status', ...args], { env: cluster.env })
const json = async (cluster: TestCluster, ...args: readonly string[]): Promise<ClusterStatus> => {
  const run = await status(cluster, '-o', 'json', ...args)
  expect(run, run.stderr).toMatchObject({ code: 0, stderr: '' })
  return JSON.parse(run.stdout)
}

test('who leads, the plan, workers and partitions, with orders; Redis away is one line, and the plan is shown', {
  timeout: 240_000,
}, async () => {
  const { kafka } = await useServices()
  await using redis = await startOwnRedis()
  await using cluster = await TestCluster.open({
    kafka,
    redis: redis.url,
    partitions: 4,
    settings: { slots: 2 },
  })
  await cluster.start(2)
  await cluster.produce(400, { missing: 0, corrupt: 0 })
  await cluster.drained(60_000)
  const { name } = cluster.pipeline
  await giveOrder(cluster.settings, name, { kind: 'pause', partition: 3, on: true })
  await until(
    'the order stands in the plan',
    20_000,
    async () => (await json(cluster)).pipelines[0]?.orders.paused.includes(3) === true,
  )
  const seen = await json(cluster, name)
  const reports = await cluster.reports()
  expect(seen.coordinator?.term).toBeGreaterThan(0)
  expect(seen.redisAway).toBeNull()
  const [pipeline] = seen.pipelines
  expect(pipeline).toMatchObject({ pipeline: name, orders: { pins: {}, drains: [], paused: [3], open: [] } })
  expect(pipeline?.workers?.map(({ worker }) => worker)).toEqual(reports.map(({ worker }) => worker).sort())
  const partitions = pipeline?.slots.flatMap((slot) => slot.partitions) ?? []
  expect(partitions.map(({ partition }) => partition)).toEqual([0, 2, 1, 3])
  expect(partitions.map(({ state }) => state)).toEqual(['running', 'running', 'running', 'paused'])
  expect(partitions.reduce((sum, { position }) => sum + position, 0)).toBe(400)
  for (const { lastCommit } of pipeline?.slots ?? [])
    expect(Date.parse(lastCommit ?? '')).toBeGreaterThan(Date.now() - 60_000)

  const text = await status(cluster)
  expect(text.stdout).toMatch(
    /^coordinator \S+ leads, term \d+\n\nuser-login: plan \d+, written \d+ s ago, 2 slots\n/,
  )
  expect(text.stdout).toContain('by order: paused: 3\n')
  expect(text.stdout).toMatch(/^ +3 +1 +\S+ +paused by order /m)

  await redis.kill()
  const away = await status(cluster)
  expect(away).toMatchObject({ code: 0, stderr: '' })
  expect(away.stdout).toMatch(/^Redis is away \(.*\n( {2}.*\n)*\nuser-login: plan \d+/)
  expect(away.stdout).toMatch(/^ +- +1 +\S+ +not known/m)
  expect(away.stdout).toContain('by order: paused: 3\n')
})

test('of nothing there is nothing, and a name that nobody knows is refused', {
  timeout: 60_000,
}, async () => {
  const { kafka, redis } = await useServices()
  const id = uniqueName('status')
  const env = settingsEnv({ kafkaBrokers: kafka, redisUrl: redis, clusterId: id, topicPrefix: `${id}.` })
  expect(await millrace(['status'], { env })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^no coordinator leads: .*\nneither a plan nor a worker is known\n$/),
  })
  expect(await millrace(['status', 'user-login'], { env })).toMatchObject({ code: 0 })
  expect(await millrace(['status', 'nobody'], { env })).toMatchObject({
    code: 2,
    stdout: '',
    stderr:
      'millrace: no pipeline of the cluster is called nobody, and no module; the cluster knows none yet\n',
  })
})

test('--watch shows what changes, until the signal', { timeout: 60_000 }, async () => {
  const { kafka, redis } = await useServices()
  const id = uniqueName('status')
  const changes = { kafkaBrokers: kafka, redisUrl: redis, clusterId: id, topicPrefix: `${id}.` }
  const child = start(['status', '--watch', '-o', 'json'], settingsEnv(changes))
  let shown = ''
  child.stdout.on('data', (text: Buffer) => {
    shown += text
  })
  await expect.poll(() => shown, { timeout: 20_000 }).toContain('"pipelines":[]')
  const coordinator = start(['coordinator'], { ...settingsEnv(changes), MILLRACE_HTTP_PORT: '0' })
  await expect.poll(() => shown, { timeout: 30_000 }).toMatch(/"coordinator":\{"id":/)
  child.kill('SIGTERM')
  expect((await child.run).code).toBe(0)
  coordinator.kill('SIGTERM')
  await coordinator.run
})
