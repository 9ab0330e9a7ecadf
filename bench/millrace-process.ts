/**
 * One worker process with its shipped defaults, as `millrace run bench-login --as <name> --from beginning --to end` starts it. Watched,
 * it sends its spans to a server of its own process and is asked for its metrics once a second: dearer than in earnest.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Host, hostWorker } from '../cli/host.ts'
import { combine } from '../cli/insights.ts'
import { startTelemetry } from '../cli/telemetry.ts'
import { watchWorker } from '../cli/worker-telemetry.ts'
import { EventBus } from '../cluster/events.ts'
import { keysOf } from '../cluster/redis/keys.ts'
import { readProcesses } from '../cluster/redis/processes.ts'
import { viewReader } from '../cluster/redis/views-read.ts'
import { readSettings } from '../cluster/settings.ts'
import { isCounts } from '../pipelines/api/aggregates.ts'
import { pipeline } from '../pipelines/bench-login/pipeline.ts'
import { SOLO_EPOCH } from '../workers/slot.ts'
import { Clock, jobOf, tell } from './child.ts'
import type { Counts } from './login-loop.ts'

const job = jobOf(process.argv[2])
const { brokers: kafkaBrokers, redis: redisUrl, clusterId, topicPrefix } = job
const settings = readSettings(process.env, {
  kafkaBrokers,
  redisUrl,
  clusterId,
  topicPrefix,
  logLevel: 'error',
})

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
const SCRAPE_MS = 1000
const subject = { role: 'worker', id: 'bench', pipeline: pipeline.name } as const

/** Whoever takes the spans: a request is read and answered. */
const collector = async (): Promise<string> => {
  const server = createServer((request, response) => request.resume().on('end', () => response.end()))
  server.listen(0, '127.0.0.1').unref()
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

if (job.watched) process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = await collector()
const telemetry = job.watched ? await startTelemetry(settings, subject, events) : undefined
const host = await hostWorker(settings, {
  pipeline: pipeline.name,
  as: job.name,
  worker: 'bench',
  env: process.env,
  events,
  from: { at: 'beginning' },
  sampling: telemetry?.sampling,
  ...(job.follow ? {} : { to: { at: 'end' } }),
})
host.worker.failed.catch(finished.reject)
const watched =
  telemetry &&
  (await watchWorker({ settings, telemetry, host, subject, appliedEpoch: () => 1, restarts: 0, index: 0 }))
const scrape = async () => {
  const [found] = await readProcesses(host.redis, keysOf(settings.clusterId))
  if (found !== undefined) await (await fetch(`http://${found.address}/metrics`)).text()
}
const scraping = watched && setInterval(() => void scrape(), SCRAPE_MS)
await host.worker.apply(
  SOLO_EPOCH,
  Array.from({ length: host.slots }, (_, slot) => slot),
)
await finished.promise
clock.stop()
clearInterval(scraping)
await host.worker.stop()
const counts = {
  device_type: await countsOf(host, 'logins_by_device_type'),
  locale: await countsOf(host, 'logins_by_locale'),
}
tell({ kind: 'measured', measured: clock.measured(counts) })
await watched?.[Symbol.asyncDispose]()
await telemetry?.[Symbol.asyncDispose]()
await host.close()
process.disconnect?.()
