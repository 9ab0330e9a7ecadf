/** The audit against a real worker: running, drained, and tampered with afterwards. */
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { beforeAll, describe, expect, test } from 'vitest'
import { audit } from '../../audit/audit.ts'
import { withAdmins } from '../../cli/admins.ts'
import { type Host, hostWorker } from '../../cli/host.ts'
import { EventBus } from '../../cluster/events.ts'
import { createInput } from '../../cluster/kafka/admin.ts'
import { namesOf } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { type SharedServices, useServices } from '../support/services.ts'
import { settingsFor } from './made.ts'
import { pipeline as answering } from './pipeline.ts'
import { options, pipeline as silent } from './silent-pipeline.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

const HOUR = 3_600_000
const PARTITIONS = 3

/** Every fate, several windows, some late: the watermark of a slot rises past the second-wide ones. */
const recordAt = (i: number): string => {
  if (i % 17 === 0) return 'not json'
  const kind = i % 13 === 0 ? 'drop' : i % 11 === 0 ? 'dead' : `kind-${i % 5}`
  return JSON.stringify({ kind, at: HOUR + (i % 7 === 0 ? 0 : i * 20) })
}

interface Running {
  readonly settings: Settings
  readonly host: Host
  readonly producer: Producer
  /** Sends records number `from` to `to` and resolves when as many more are committed. */
  readonly process: (from: number, to: number) => Promise<void>
  readonly audit: (more?: { wait?: number; redis?: undefined }) => ReturnType<typeof audit>
  readonly stop: () => Promise<void>
}

const run = async (pipeline: AnyPipeline = answering, file = './pipeline.ts'): Promise<Running> => {
  const settings = settingsFor(services, { partitions: PARTITIONS, threads: 1 })
  const { input } = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix)
  await withAdmins(settings, (admins) => createInput(admins.input, input, settings))
  const producer = new Kafka({ brokers: [...services.kafka], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const events = new EventBus()
  const module = new URL(file, import.meta.url).href
  const env = pipeline.options === undefined ? {} : { MILLRACE_OPTION_SUFFIX: options().suffix }
  const host = await hostWorker(settings, { pipeline: module, worker: 'w', env, events })
  await host.worker.apply(0, [...Array(host.slots).keys()])
  let committed = 0
  events.on('committed', ({ records }) => {
    committed += records
  })
  const process = async (from: number, to: number) => {
    const target = committed + to - from
    const messages = Array.from({ length: to - from }, (_, i) => ({ value: recordAt(from + i) }))
    await producer.send({
      topic: input,
      messages: messages.map((message, i) => ({ ...message, partition: i % PARTITIONS })),
    })
    if (committed < target) await events.next('committed', () => committed >= target)
  }
  const stop = async () => {
    await host.worker.stop()
    await host.close()
    await producer.disconnect()
  }
  const sources = { ...host, pipeline, options, clusterId: settings.clusterId }
  return { settings, host, producer, process, audit: (more = {}) => audit({ ...sources, ...more }), stop }
}

describe('a worker', () => {
  test('passes the audit while it idles and after it has stopped', async () => {
    const running = await run()
    for (let round = 0; round < 6; round++) await running.process(round * 1000, (round + 1) * 1000)
    const live = await running.audit()
    expect(live.notProvable).toEqual([])
    expect(live).toMatchObject({
      ok: true,
      produced: 6000,
      lost: 0,
      double: 0,
      foreign: 0,
      mismatch: 0,
      order: 0,
    })
    expect(live.outputs + live.dead + live.dropped).toBe(6000)
    for (const some of [live.outputs, live.dead, live.dropped, live.late]) expect(some).toBeGreaterThan(100)
    await running.host.worker.stop()
    expect(await running.audit({ wait: 0 })).toEqual(live)
    await running.stop()
  })

  test('passes the audit in full flow; what moves on is told not to be compared', async () => {
    const running = await run()
    let flowing = true
    let sent = 0
    const flow = (async () => {
      while (flowing) {
        await running.process(sent, sent + 500)
        sent += 500
      }
    })()
    await running.process(0, 500)
    for (let i = 0; i < 5; i++) {
      const report = await running.audit({ wait: 0 })
      expect(report.offending).toEqual({ lost: [], double: [], foreign: [], mismatch: [], order: [] })
      expect(report.ok).toBe(true)
      for (const line of report.notProvable) expect(line).toMatch(/the pipeline is running/)
    }
    flowing = false
    await flow
    expect(await running.audit()).toMatchObject({ ok: true, produced: sent + 500, notProvable: [] })
    await running.stop()
  })

  test('is given away by a duplicate, a letter beside an output, and a changed part in Redis', async () => {
    const running = await run()
    await running.process(1, 50)
    await running.host.worker.stop()
    const { names, redis } = running.host
    const origin = { 'millrace-origin': `${names.input}/0/0` }
    const answer = JSON.stringify({ kind: 'kind-1', at: HOUR + 20 })
    await running.producer.send({
      topic: names.output ?? '',
      messages: [{ partition: 0, value: answer, headers: origin }],
    })
    await running.producer.send({
      topic: names.deadLetters,
      messages: [{ partition: 1, value: 'x', headers: { 'millrace-origin': `${names.input}/1/0` } }],
    })
    const [part = ''] = await redis.keys(`{${running.settings.clusterId}}:view:*:2:part:total/0`)
    await redis.hset(part, 'answers', '999999 1')
    const report = await running.audit({ wait: 0 })
    expect(report).toMatchObject({ ok: false, lost: 0, double: 2, foreign: 0, mismatch: 1 })
    expect(report.offending.double).toEqual([
      { partition: 0, offsets: [{ offset: 0, fates: ['output'] }] },
      { partition: 1, offsets: [{ offset: 0, fates: ['output', 'dead'] }] },
    ])
    expect(report.offending.mismatch).toMatchObject([
      { where: 'redis', aggregate: 'answers', slot: 2, window: 'total', found: 1 },
    ])
    await running.stop()
  })
})

describe('a worker of a pipeline without outputs', () => {
  test('passes the audit while it idles and after it has stopped, its insights as well', {
    timeout: 90_000,
  }, async () => {
    const running = await run(silent, './silent-pipeline.ts')
    for (let round = 0; round < 3; round++) await running.process(round * 1000, (round + 1) * 1000)
    const live = await running.audit()
    expect(live.notProvable).toEqual([])
    expect(live).toMatchObject({ ok: true, output: null, produced: 3000, lost: 0, double: 0, mismatch: 0 })
    expect(live.outputs + live.dead + live.dropped).toBe(3000)
    for (const some of [live.outputs, live.dead, live.dropped, live.late]) expect(some).toBeGreaterThan(100)
    await running.host.worker.stop()
    expect(await running.audit({ wait: 0 })).toEqual(live)
    await running.stop()
  })

  test('is given away by a batch told twice, a doubled fate, and a changed part in Redis', {
    timeout: 90_000,
  }, async () => {
    const running = await run(silent, './silent-pipeline.ts')
    await running.process(1, 50)
    await running.host.worker.stop()
    const { names, redis } = running.host
    const batch = { 'millrace-pipeline': 'silent', 'millrace-batch': '1/0/2' }
    await running.producer.send({
      topic: names.insights ?? '',
      messages: [{ partition: 0, value: '{}', timestamp: '1000', headers: batch }],
    })
    const done = JSON.stringify({ partition: 0, from: 0, to: 0, code: 'done', fate: 'done' })
    await running.producer.send({ topic: names.drops, messages: [{ partition: 0, value: done }] })
    const [part = ''] = await redis.keys(`{${running.settings.clusterId}}:view:*:2:part:total/0`)
    await redis.hset(part, 'answers', '999999 1')
    const report = await running.audit({ wait: 0 })
    expect(report).toMatchObject({ ok: false, lost: 0, double: 1, foreign: 0, mismatch: 2 })
    expect(report.offending.mismatch).toMatchObject([
      { where: 'insights', slot: 1, of: 'batch 0', expected: 1, found: 2 },
      { where: 'redis', aggregate: 'answers', slot: 2, window: 'total', found: 1 },
    ])
    await running.stop()
  })
})
