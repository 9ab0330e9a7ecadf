import { Redis } from 'ioredis'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { API, startProxy } from '../../support/proxy.ts'
import { startKafkaBehindProxies, uniqueName, useServices } from '../../support/services.ts'

let cluster: Awaited<ReturnType<typeof startKafkaBehindProxies>>
beforeAll(async () => {
  cluster = await startKafkaBehindProxies()
})
afterAll(() => cluster.stop())

const proxyOf = () => {
  const [proxy] = cluster.proxies
  if (proxy === undefined) throw new Error('no proxy')
  return proxy
}

/** A topic, a producer that tries again in no time, and a count of what arrived. */
const setup = async () => {
  const retry = { initialRetryTime: 20, retries: 10 }
  const kafka = new Kafka({ brokers: [...cluster.addresses], logLevel: logLevel.NOTHING, retry })
  const topic = uniqueName('proxy')
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
  const producer = kafka.producer({ idempotent: false })
  await producer.connect()
  const written = async () => Number((await admin.fetchTopicOffsets(topic))[0]?.high)
  const send = () => producer.send({ topic, acks: -1, messages: [{ value: 'a' }] })
  const close = async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()])
  }
  return { admin, send, written, [Symbol.asyncDispose]: close }
}

test('clients reach the broker through the proxy alone', async () => {
  await using at = await setup()
  const before = proxyOf().seen.filter((key) => key === API.produce).length
  await at.send()
  expect(proxyOf().seen.filter((key) => key === API.produce)).toHaveLength(before + 1)
})

test('a lost reply: the broker has written, and a producer without sequence numbers writes again', async () => {
  await using at = await setup()
  const lost = proxyOf().dropReply(API.produce, 2)
  await at.send()
  await lost
  expect(await at.written()).toBe(3)
})

test('a held reply comes when it is released', async () => {
  await using at = await setup()
  const reply = proxyOf().holdReply(API.produce)
  let answered = false
  const sending = at.send().then(() => {
    answered = true
  })
  await reply.held
  expect(await at.written()).toBe(1)
  expect(answered).toBe(false)
  reply.release()
  await sending
  expect(await at.written()).toBe(1)
})

test('a reply is chosen by any property of its request', async () => {
  await using at = await setup()
  const met = proxyOf().dropNextResponse(({ apiKey }) => apiKey === API.produce)
  await at.send()
  expect((await met).apiVersion).toBeGreaterThan(0)
})

test('a cut ends connections and refuses new ones until it is over', async () => {
  const { redis } = await useServices()
  const proxy = await startProxy({ target: new URL(redis).host, protocol: 'raw' })
  const client = new Redis(`redis://${proxy.address}`, {
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  })
  expect(await client.ping()).toBe('PONG')
  const closed = new Promise((resolve) => client.once('close', resolve))
  proxy.cut()
  await closed
  const answer = client.ping()
  proxy.resume()
  expect(await answer).toBe('PONG')
  client.disconnect()
  await proxy.close()
})

test('the cut of one client ends what it has and refuses what it opens; another one never notices', async () => {
  const connected = async (clientId: string) => {
    const retry = { retries: 0 }
    const kafka = new Kafka({ clientId, brokers: [...cluster.addresses], logLevel: logLevel.NOTHING, retry })
    const admin = kafka.admin()
    await admin.connect()
    return admin
  }
  const [cut, other] = await Promise.all([connected('cut'), connected('other')])
  proxyOf().cutClient('cut')
  await expect(cut.listTopics()).rejects.toThrow()
  await expect(connected('cut')).rejects.toThrow()
  await other.listTopics()
  expect(new Set(proxyOf().refused)).toEqual(new Set(['cut']))
  expect(proxyOf().refused.length).toBeGreaterThan(1)
  proxyOf().resume()
  const again = await connected('cut')
  await Promise.all([cut, other, again].map((admin) => admin.disconnect()))
})

test('a pause lets nothing pass, and keeps the connection', async () => {
  const { redis } = await useServices()
  const proxy = await startProxy({ target: new URL(redis).host, protocol: 'raw' })
  const client = new Redis(`redis://${proxy.address}`)
  await client.ping()
  let closed = false
  client.once('close', () => {
    closed = true
  })
  proxy.pause()
  let answered = false
  const answer = client.ping().then((reply) => {
    answered = true
    return reply
  })
  const direct = new Redis(redis)
  for (let round = 0; round < 20; round++) await direct.ping()
  expect(answered).toBe(false)
  proxy.resume()
  expect(await answer).toBe('PONG')
  expect(closed).toBe(false)
  direct.disconnect()
  client.disconnect()
  await proxy.close()
})
