/** Guarantee: a changed or new aggregate counts from its first takeover on, what did not change goes on; the audit knows since when. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { auditPipeline } from '../../cli/audit.ts'
import { combine, insightJson } from '../../cli/insights.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { viewReader } from '../../cluster/redis/views-read.ts'
import { clean, TestCluster } from '../support/cluster.ts'
import { useServices } from '../support/services.ts'
import { pipeline } from './fixtures/counting-v2.ts'

const RECORDS = 1000
const version = (n: number) => fileURLToPath(new URL(`./fixtures/counting-v${n}.ts`, import.meta.url))

test('aggregates redefined between two runs: each counts what it should, audit clean', {
  timeout: 120_000,
}, async () => {
  const { kafka, redis: address } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis: address, pipeline: version(1), partitions: 2 })
  for (const n of [1, 2]) {
    expect(await cluster.produce(RECORDS, { seed: n, corrupt: 0, missing: 0 })).toBe(RECORDS)
    const run = cluster.run('run', version(n), '--to', 'end')
    expect(await run.exited, run.lines.join('\n')).toBe(0)
  }
  const redis = await connectRedis(cluster.settings)
  try {
    const report = await auditPipeline(cluster.settings, pipeline, cluster.names, redis)
    expect(report).toMatchObject({ ...clean, produced: 2 * RECORDS })
    const aggregates = pipeline.aggregates ?? {}
    const windows = combine(
      aggregates,
      await viewReader(redis, keysOf(cluster.settings.clusterId)).parts('counting'),
    )
    const shown = windows.map((window) => insightJson(aggregates, window).aggregates)
    const sum = (name: string) =>
      shown.reduce((total, one) => {
        const value = one[name]
        if (typeof value === 'number') return total + value
        return total + Object.values(value ?? {}).reduce((a, b) => a + b, 0)
      }, 0)
    expect({ unchanged: sum('unchanged'), changed: sum('changed'), added: sum('added') }).toEqual({
      unchanged: 2 * RECORDS,
      changed: RECORDS,
      added: RECORDS,
    })
  } finally {
    closeRedis(redis)
  }
})
