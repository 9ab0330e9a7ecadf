/** One worker process with its shipped defaults, as `millrace run bench-login --as <name> --from beginning --to end` starts it. */
import { type Host, hostWorker } from '../cli/host.ts'
import { combine } from '../cli/insights.ts'
import { EventBus } from '../cluster/events.ts'
import { keysOf } from '../cluster/redis/keys.ts'
import { viewReader } from '../cluster/redis/views-read.ts'
import { readSettings } from '../cluster/settings.ts'
import { isCounts } from '../pipelines/api/aggregates.ts'
import { pipeline } from '../pipelines/bench-login/pipeline.ts'
import { SOLO_EPOCH } from '../workers/slot.ts'
import { Clock, jobOf, tell } from './child.ts'
import type { Counts } from './login-loop.ts'

const job = jobOf(process.argv[2])
const { brokers: kafkaBrokers, redis: redisUrl, clusterId, topicPrefix } = job
const settings = readSettings(process.env, { kafkaBrokers, redisUrl, clusterId, topicPrefix })

/** What its own aggregates came to, read back from Redis. */
const countsOf = async ({ redis, name }: Host, aggregate: string): Promise<Counts> => {
  const windows = await viewReader(redis, keysOf(settings.clusterId)).parts(name)
  const sum: Counts = {}
  for (const { values } of combine(pipeline.aggregates ?? {}, windows)) {
    const value = values.get(aggregate)
    if (value === undefined || !isCounts(value)) continue
    for (const [i, label] of value.labels.entries()) sum[label] = (sum[label] ?? 0) + (value.counts[i] ?? 0)
  }
  return sum
}

const clock = new Clock()
const finished = Promise.withResolvers<void>()
const events = new EventBus()
let records = 0
events.on('claimed', () => clock.start())
events.on('committed', (commit) => {
  records += commit.records
  if (records >= job.records) finished.resolve()
})
events.on('halted', ({ code, detail }) => finished.reject(new Error(`${code}: ${detail}`)))
const host = await hostWorker(settings, {
  pipeline: pipeline.name,
  as: job.name,
  worker: 'bench',
  env: process.env,
  events,
  from: { at: 'beginning' },
  ...(job.follow ? {} : { to: { at: 'end' } }),
})
host.worker.failed.catch(finished.reject)
await host.worker.apply(
  SOLO_EPOCH,
  Array.from({ length: host.slots }, (_, slot) => slot),
)
await finished.promise
clock.stop()
await host.worker.stop()
const counts = {
  device_type: await countsOf(host, 'logins_by_device_type'),
  locale: await countsOf(host, 'logins_by_locale'),
}
tell({ kind: 'measured', measured: clock.measured(counts) })
await host.close()
process.disconnect?.()
