/** Two live pipelines never write one topic: the second is refused with one line, until the first is gone. */
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { register } from '../../cli/register.ts'
import { systemClock } from '../../cluster/actor/clock.ts'
import { EventBus } from '../../cluster/events.ts'
import { refuseSharedTopics, type Writer } from '../../cluster/protocol/writes.ts'
import { Running, TestCluster, until } from '../support/cluster.ts'
import { memoryWorkers } from '../support/memory-workers.ts'
import { reportOf } from '../support/reports.ts'
import { type SharedServices, useServices } from '../support/services.ts'

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url))
const first = fixture('first-writer')
const second = fixture('second-writer')

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

const open = (): Promise<TestCluster> =>
  TestCluster.open({ ...services, pipeline: first, partitions: 1, settings: { lease: 2000 } })

/** The other pipeline with everything else alike. */
const withOther = (cluster: TestCluster, ...args: readonly string[]): Running =>
  new Running(args, { ...cluster.env, MILLRACE_PIPELINE: second })

const registered = (cluster: TestCluster, pipeline: string, workers = 1): Promise<void> =>
  until(`${workers} of ${pipeline} registered`, 60_000, async () => {
    const reports = await cluster.reports()
    return reports.filter((report) => report.pipeline === pipeline).length === workers
  })

const refusal = (cluster: TestCluster, own: string, other: string): RegExp =>
  new RegExp(
    `millrace: ${own} and ${other} both write topic ${cluster.names.output}, and ${other} runs \\(worker .+\\); give one of them a MILLRACE_TOPIC_PREFIX and a MILLRACE_CLUSTER_ID of its own, or run it with \`millrace run ${own} --as <name>\``,
  )

const topicsOf = (cluster: TestCluster): Promise<readonly string[]> =>
  withAdmins(cluster.settings, ({ home }) => home.listTopics())

describe('a pipeline that writes what a live one writes', () => {
  test('is refused by name, a second worker of the same one is not; it starts when the dead one is forgotten', async () => {
    await using cluster = await open()
    const worker = cluster.run('worker')
    await registered(cluster, 'first-writer')
    await using refused = withOther(cluster, 'worker')
    expect(await refused.exited).toBe(6)
    expect(refused.count(refusal(cluster, 'second-writer', 'first-writer'))).toBe(1)
    expect(await topicsOf(cluster), 'nothing is half made').not.toContain(
      `${cluster.settings.topicPrefix}second-dlq`,
    )
    const again = cluster.run('worker')
    await registered(cluster, 'first-writer', 2)
    for (const { pid } of await cluster.reports()) process.kill(pid, 'SIGKILL')
    await Promise.all([worker.stop('SIGKILL'), again.stop('SIGKILL')])
    await until('the leases have ended', 60_000, async () => (await cluster.roster()).live.length === 0)
    await using granted = withOther(cluster, 'worker')
    await registered(cluster, 'second-writer')
    expect(granted.count(/both write/)).toBe(0)
  }, 240_000)

  test('is refused also where one of the two runs without a coordinator', async () => {
    await using cluster = await open()
    await using alone = withOther(cluster, 'run')
    await until('it runs', 60_000, async () => (await cluster.roster()).solo.length === 1)
    const worker = cluster.run('worker')
    expect(await worker.exited).toBe(6)
    expect(worker.count(refusal(cluster, 'first-writer', 'second-writer'))).toBe(1)
    expect(await alone.stop()).toBe(0)
    cluster.run('worker')
    await registered(cluster, 'first-writer')
    await using other = withOther(cluster, 'run')
    expect(await other.exited).toBe(6)
    await using renamed = withOther(cluster, 'run', '--as', 'apart', '--to', 'end')
    expect(await renamed.exited).toBe(0)
  }, 240_000)
})

describe('of two that begin at one moment', () => {
  const writer = (pipeline: string, startedAt: number, writes: readonly string[]): Writer => ({
    pipeline,
    worker: `${pipeline}-worker`,
    startedAt,
    writes,
  })
  const refused = (own: Writer, other: Writer): boolean => {
    try {
      refuseSharedTopics(own, [own, other], 'earlier')
      return false
    } catch {
      return true
    }
  }

  test.each([
    [1, 2],
    [2, 1],
    [1, 1],
  ])('one goes on: begun at %i and %i', (one, other) => {
    const a = writer('a', one, ['x', 'shared'])
    const b = writer('b', other, ['shared', 'y'])
    expect([refused(a, b), refused(b, a)].toSorted()).toEqual([false, true])
  })

  test('the one that goes leaves the roster', async () => {
    const workers = memoryWorkers(systemClock)
    const joining = ['a', 'b'].map((name) => {
      const own = writer(name, 1, ['shared'])
      const report = () => reportOf(own.worker, [], own)
      return register({ workers, writer: own }, { events: new EventBus(), leaseMs: 10_000, report })
    })
    const [a, b] = await Promise.allSettled(joining)
    expect(b).toMatchObject({ status: 'rejected', reason: { code: 'topic-conflict' } })
    expect((await workers.read()).live.map(({ pipeline }) => pipeline)).toEqual(['a'])
    if (a?.status === 'fulfilled') await a.value.stop()
    expect((await workers.read()).live).toEqual([])
  })

  test('both go on where they share nothing, or where one says nothing of what it writes', () => {
    const { writes: _, ...silent } = writer('old', 1, [])
    expect(refused(writer('a', 2, ['x']), writer('b', 1, ['y']))).toBe(false)
    expect(refused(writer('a', 2, ['x']), silent)).toBe(false)
  })
})
