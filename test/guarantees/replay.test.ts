/** Guarantee: a dead letter is sent back into the input once, whoever repairs, replays, dies, or does it at the same time. */
import { expect, test } from 'vitest'
import { HEADER } from '../../cluster/protocol/headers.ts'
import type { Names } from '../../cluster/protocol/names.ts'
import { millrace, start } from '../cli/millrace.ts'
import { headerOf, messageOfLetter, produce, recordsOf } from '../letters/planted.ts'
import { clean, TestCluster } from '../support/cluster.ts'
import { API, clientIdOf, type FaultProxy, type Request } from '../support/proxy.ts'
import { startKafkaBehindProxies, startOwnKafka, useServices } from '../support/services.ts'

const RECORDS = 4000
const LETTERS = 3

const ofReplay = (apiKey: number) => (request: Request) =>
  request.apiKey === apiKey && clientIdOf(request).startsWith('millrace-dlq-')

const dlq = async (cluster: TestCluster, ...args: string[]) => {
  const { code, stdout, stderr } = await millrace(['dlq', ...args, '-o', 'json'], { env: cluster.env })
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

const plant = (cluster: TestCluster, count = LETTERS) => {
  const { settings, names, pipeline } = cluster
  const letters = Array.from({ length: count }, (_, offset) =>
    messageOfLetter({
      key: `key-${offset}`,
      value: `value-${offset}`,
      origin: `${names.input}/0/${offset}`,
      pipeline: pipeline.name,
      code: 'process-threw',
    }),
  )
  return produce(settings, { topic: names.deadLetters, which: 'home' }, letters)
}

/** By letter, how many records of the input come from it. */
const arrivals = async ({ settings, names }: { settings: TestCluster['settings']; names: Names }) => {
  const records = await recordsOf(settings, { topic: names.input, which: 'input' })
  const places = records.map((record) => headerOf(record, HEADER.replayOf) ?? '')
  return Object.fromEntries(
    Object.entries(Object.groupBy(places, (place) => place)).map(([place, all]) => [place, all?.length]),
  )
}

const eachOnce = ({ names }: TestCluster) =>
  Object.fromEntries(Array.from({ length: LETTERS }, (_, offset) => [`${names.deadLetters}/0/${offset}`, 1]))

test('5 % of the logins lack their device type: repaired, every letter is settled and every record an output', {
  timeout: 240_000,
}, async () => {
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis, pipeline: 'login-production' })
  await cluster.start(1)
  await cluster.produce(RECORDS, { missing: 0.05, corrupt: 0, seed: 5 })
  await cluster.drained(60_000)
  const [group, ...others] = await dlq(cluster, 'groups')
  expect(others).toEqual([])
  expect(group).toMatchObject({ code: 'schema:device_type', cure: 'repair' })
  expect(group.count).toBeGreaterThan(RECORDS * 0.03)
  const repaired = await dlq(cluster, 'repair', '--default', 'device_type=unknown', '--yes')
  expect(repaired).toMatchObject({ selected: group.count, sent: group.count, failing: {}, held: {} })
  await cluster.drained(60_000)
  const left = await dlq(cluster, 'list')
  expect(left).toMatchObject({ selected: 0, settled: group.count, foreign: 0, letters: [] })
  const { output = '' } = cluster.names
  const outputs = await recordsOf(cluster.settings, { topic: output, which: 'home' })
  expect(outputs).toHaveLength(RECORDS)
  const values = outputs.map(({ value }) => JSON.parse(value?.toString() ?? 'null'))
  expect(values.filter((value) => value.device_type === 'unknown')).toHaveLength(group.count)
  const again = await dlq(cluster, 'repair', '--default', 'device_type=unknown', '--yes', '--force')
  expect(again.sent, 'forced, they go once more').toBe(group.count)
  await cluster.drained(60_000)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: RECORDS + 2 * group.count })
})

test('the same letters replayed from two terminals at once: each arrives once, and the first one says that it was overtaken', {
  timeout: 240_000,
}, async () => {
  const { redis } = await useServices()
  await using kafka = await startKafkaBehindProxies()
  const [proxy] = kafka.proxies
  if (proxy === undefined) throw new Error('no proxy')
  for (const moment of [API.produce, API.endTxn]) {
    // The first waits for its reply for as long as the second takes.
    const settings = { requestTimeout: 150_000, transactionTimeout: 300_000 }
    await using cluster = await TestCluster.open({ kafka: kafka.addresses, redis, settings })
    await plant(cluster)
    const reply = proxy.holdReply(moment, ofReplay(moment))
    const first = start(['dlq', 'replay', '--yes'], cluster.env)
    await reply.held
    const second = await dlq(cluster, 'replay', '--yes')
    reply.release()
    const { code, stderr } = await first.run
    const overtaken = moment === API.produce
    expect(second.sent, 'what the first had committed is not sent again').toBe(overtaken ? LETTERS : 0)
    expect({ code, stderr }).toMatchObject(overtaken ? { code: 13 } : { code: 0 })
    if (overtaken)
      expect(stderr).toMatch(/^millrace: another replay of user-login has begun, this one stops \(0 sent\);/m)
    expect(await arrivals(cluster)).toEqual(eachOnce(cluster))
    expect((await dlq(cluster, 'list')).selected).toBe(0)
  }
})

/** The cluster has done the step, and the replay dies before it hears of it. */
const killAfter = async (proxy: FaultProxy, moment: number, cluster: TestCluster): Promise<void> => {
  const lost = proxy.dropNextResponse(ofReplay(moment))
  const child = start(['dlq', 'replay', '--yes'], cluster.env)
  const ended = child.run.then(({ stderr }) => {
    throw new Error(`it ended by itself: ${stderr}`)
  })
  await Promise.race([lost, ended])
  child.kill('SIGKILL')
  await child.run
}

test('input on one cluster, letters on another: a replay killed between intent and done is finished by the next, each letter sent once', {
  timeout: 300_000,
}, async () => {
  const { redis } = await useServices()
  await using input = await startKafkaBehindProxies()
  await using home = await startOwnKafka()
  const [proxy] = input.proxies
  if (proxy === undefined) throw new Error('no proxy')
  const settings = { homeBrokers: home.addresses }
  for (const moment of [API.produce, API.endTxn]) {
    await using cluster = await TestCluster.open({ kafka: input.addresses, redis, settings })
    await plant(cluster)
    await killAfter(proxy, moment, cluster)
    const before = await arrivals(cluster)
    expect(before, 'all of a transaction or nothing').toEqual(moment === API.endTxn ? eachOnce(cluster) : {})
    const states = (await dlq(cluster, 'list')).letters.map(({ state }: { state: string }) => state)
    expect(states, 'intents without an end').toEqual(Array(LETTERS).fill('sending'))
    const next = await dlq(cluster, 'replay', '--yes')
    expect(next.sent).toBe(moment === API.endTxn ? 0 : LETTERS)
    expect(await arrivals(cluster)).toEqual(eachOnce(cluster))
    expect(await dlq(cluster, 'list')).toMatchObject({ selected: 0, settled: LETTERS })
    expect((await dlq(cluster, 'replay', '--yes')).selected).toBe(0)
  }
})
