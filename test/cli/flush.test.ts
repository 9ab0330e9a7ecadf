import { describe, expect, test } from 'vitest'
import { openSlots, waitingIn } from '../../cli/flush.ts'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { reportOf, slotReportOf } from '../support/reports.ts'
import { useServices } from '../support/services.ts'
import { millrace, type Run } from './millrace.ts'

const owning = (worker: string, ...slots: readonly ReturnType<typeof slotReportOf>[]) =>
  reportOf(worker, [], { owned: slots })

describe('a flush', () => {
  test('is open where a slot has not said that it carried out this very order, with the reason', () => {
    const reports = [
      owning('a', slotReportOf(0, { flushed: 'now' }), slotReportOf(1, { flushed: 'earlier' })),
      owning('b', slotReportOf(2, { state: 'halted', reason: 'state-lost' })),
    ]
    expect(openSlots(reports, 4, 'now')).toEqual(['1 (running)', '2 (state-lost)', '3 (no owner)'])
    expect(openSlots([owning('a', slotReportOf(0, { flushed: 'now' }))], 1, 'now')).toEqual([])
  })

  test('what waits is the sum over the slots of the pipeline, and unknown where no worker lives', () => {
    const reports = [
      owning('a', slotReportOf(0, { waiting: 12 }), slotReportOf(1)),
      owning('b', slotReportOf(2, { waiting: 30 })),
      reportOf('c', [], { pipeline: 'other', owned: [slotReportOf(0, { waiting: 99 })] }),
    ]
    expect(waitingIn(reports, 'p')).toBe(42)
    expect(waitingIn(reports, 'nobody')).toBeUndefined()
  })
})

describe('millrace insights --flush', () => {
  const RECORDS = 30
  const flush = (cluster: TestCluster, ...args: readonly string[]): Promise<Run> =>
    millrace(['insights', '--flush', ...args], { env: cluster.env })
  const published = async (cluster: TestCluster): Promise<number> => {
    const topic = cluster.names.insights ?? ''
    const args = ['tail', topic, '--from', 'beginning', '--no-follow', '-o', 'json']
    const { stdout } = await millrace(args, { env: cluster.env })
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(JSON.parse(line).value))
      .filter(({ metric }) => metric === 'logins_per_region')
      .reduce((sum, { count }) => sum + count, 0)
  }

  test('without a worker the order waits for one; a slot without an owner is named', async () => {
    const { kafka, redis } = await useServices()
    await using cluster = await TestCluster.open({ kafka, redis, pipeline: 'login-insights', partitions: 2 })
    const { coordinator, workers } = await cluster.start(1)
    await cluster.produce(RECORDS, { missing: 0, corrupt: 0 })
    await cluster.drained(60_000)
    await Promise.all([coordinator.stop(), workers.stop()])
    expect(workers.lines).toEqual(expect.arrayContaining(['login-insights, all workers:', '  logins: 30']))
    expect(await published(cluster), 'no batch is full').toBe(0)
    const absent = await flush(cluster)
    expect(absent).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('no worker runs: each slot will'),
    })

    cluster.run('worker')
    await until('it has registered', 60_000, async () => (await cluster.reports()).length === 1)
    const late = await flush(cluster, '--wait', '500ms')
    expect(late.code).toBe(12)
    expect(late.stderr).toMatch(
      /^millrace: 2 of 2 slots have not flushed yet: 0 \(no owner\), 1 \(no owner\); the order stands.*\n$/,
    )

    cluster.run('coordinator')
    await cluster.settled(60_000)
    expect(await flush(cluster, '--wait', '60s')).toMatchObject({
      code: 0,
      stderr: 'flushed: 2 slots have published what waited\n',
      stdout: expect.stringContaining('0 records wait in unfilled batches\n'),
    })
    expect(await published(cluster)).toBe(RECORDS)
    expect(await cluster.audit()).toMatchObject({ ...clean, produced: RECORDS })
  }, 240_000)

  test('a pipeline without insights by count is refused', async () => {
    const { kafka, redis } = await useServices()
    const env = { MILLRACE_KAFKA_BROKERS: kafka.join(), MILLRACE_REDIS_URL: redis }
    expect(await millrace(['insights', 'user-login', '--flush'], { env })).toMatchObject({
      code: 2,
      stderr: 'millrace: pipeline user-login publishes no insights by count; leave --flush out\n',
    })
  }, 60_000)
})
