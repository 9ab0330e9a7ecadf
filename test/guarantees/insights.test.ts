/** Guarantee: insights by count are published exactly once, also where workers are killed around the commit; no batch is torn. */
import { expect, test } from 'vitest'
import { giveOrder } from '../../cli/orders.ts'
import { readHeaders } from '../../cluster/kafka/codec/decode.ts'
import { scan } from '../../cluster/kafka/scan.ts'
import { type BatchName, HEADER, parseBatch } from '../../cluster/protocol/headers.ts'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { API } from '../support/proxy.ts'
import { startKafkaBehindProxies, useServices } from '../support/services.ts'

const RECORDS = 20_000
const KILLS = 3
const EACH = 50

interface Message {
  readonly batch: BatchName
  readonly value: { readonly metric: string; readonly count?: number }
}

const messagesOf = async ({ input, names }: TestCluster): Promise<readonly Message[]> => {
  const topic = names.insights ?? ''
  const to = (await input.ends(topic, [0])).get(0) ?? 0
  const found: Message[] = []
  await scan(input, { topic, partition: 0, from: 0, to }, (cursor) => {
    const name = readHeaders(cursor).find(([header]) => header === HEADER.batch)?.[1]
    const batch = parseBatch(String(name))
    if (batch === undefined) throw new Error(`no batch: ${name}`)
    found.push({
      batch,
      value: JSON.parse(cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)),
    })
  })
  return found
}

test(`${RECORDS} records, ${KILLS} kills around the commit, then the rest by order: each batch once and whole`, {
  timeout: 240_000,
}, async () => {
  const { redis } = await useServices()
  await using kafka = await startKafkaBehindProxies()
  const [proxy] = kafka.proxies
  if (proxy === undefined) throw new Error('no proxy')
  await using cluster = await TestCluster.open({ kafka: kafka.addresses, redis, pipeline: 'login-insights' })
  const { workers } = await cluster.start(2)
  const enough = new AbortController()
  const flowing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 1000, seed: 31 }, enough.signal)
  for (let kill = 1; kill <= KILLS; kill++) {
    await cluster.killAfter(proxy, kill % 2 === 0 ? API.produce : API.endTxn)
    await workers.says(/ended \(SIGKILL\)/, 30_000, kill)
    await cluster.settled(60_000)
  }
  enough.abort()
  const first = await flowing
  await cluster.produce(Math.max(0, RECORDS - first), { seed: 32 })
  await cluster.drained(120_000)
  const { settings, names } = cluster
  const order = await giveOrder(settings, cluster.pipeline.name, { kind: 'flush' })
  const owned = async () => (await cluster.reports()).flatMap((report) => report.owned)
  await until('every slot has flushed', 60_000, async () => {
    const slots = await owned()
    return slots.length > 0 && slots.every(({ flushed }) => flushed === order.id)
  })
  const done = (await owned()).reduce((sum, { counters }) => sum + counters.done, 0)
  const messages = await messagesOf(cluster)
  const batches = new Map(messages.map(({ batch }) => [`${batch.slot}/${batch.number}`, batch]))
  const bySlot = Map.groupBy(batches.values(), ({ slot }) => slot)
  for (const [, own] of bySlot) {
    expect(own.map(({ number }) => number)).toEqual(own.map((_, i) => i))
    expect(own.slice(0, -1).every(({ records }) => records === EACH)).toBe(true)
  }
  expect([...batches.values()].reduce((sum, { records }) => sum + records, 0)).toBe(done)
  const regions = messages.filter(({ value }) => value.metric === 'logins_per_region')
  expect(regions.reduce((sum, { value }) => sum + (value.count ?? 0), 0)).toBe(done)
  expect(workers.count(/ended \(SIGKILL\)/)).toBe(KILLS)
  expect(await cluster.audit(), names.input).toMatchObject(clean)
})
