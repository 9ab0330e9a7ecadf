import { setTimeout as wait } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, test, vi } from 'vitest'
import { ByteReader, ByteWriter } from '../../../cluster/kafka/bytes.ts'
import {
  Connections,
  installedKafkajs,
  PINNED_KAFKAJS,
  type RawRequest,
} from '../../../cluster/kafka/seam.ts'
import { type TinyRequest, tinyBroker } from './tiny-broker.ts'

const FETCH = 1
const PRODUCE = 0

const echo = (apiKey: number, timeout?: number): RawRequest<{ throttleMs: number; text: string }> => ({
  apiKey,
  apiVersion: 1,
  name: `request ${apiKey}`,
  body: [Buffer.from('body')],
  decode: (payload) => {
    const reader = new ByteReader(payload)
    return { throttleMs: reader.int32(), text: reader.string() ?? '' }
  },
  ...(timeout === undefined ? {} : { timeout }),
})
const text = (value: string, throttleMs = 0): Buffer =>
  new ByteWriter().int32(throttleMs).string(value).done()

const connected = async (address: string, requestTimeout = 5000): Promise<Connections> => {
  const connections = new Connections({ brokers: [address], requestTimeout })
  await connections.connect()
  return connections
}

describe('the pinned kafkajs', () => {
  test('is the one installed', () => {
    expect(installedKafkajs()).toBe(PINNED_KAFKAJS)
  })

  test('in any other version the seam refuses to load', async () => {
    vi.resetModules()
    vi.doMock('node:module', () => ({
      createRequire: () => () => ({ version: '2.3.0' }),
    }))
    try {
      await expect(import('../../../cluster/kafka/seam.ts')).rejects.toThrow(/kafkajs 2\.3\.0 is installed/)
    } finally {
      vi.doUnmock('node:module')
      vi.resetModules()
    }
  })
})

describe('a call', () => {
  test('fetches have a connection to themselves', async () => {
    await using broker = await tinyBroker((request) => request.answer(text(`${request.apiKey}`)))
    const connections = await connected(broker.address)
    expect(await connections.call(1, echo(FETCH))).toMatchObject({ text: '1' })
    expect(await connections.call(1, echo(PRODUCE))).toMatchObject({ text: '0' })
    const [fetch, produce] = broker.requests
    expect(fetch?.socket).not.toBe(produce?.socket)
    await connections.close()
  })

  test('is sent once: where its connection ends it fails, and the next goes over a new one', async () => {
    const first = (request: TinyRequest) =>
      broker.requests.length === 1 ? request.socket.destroy() : request.answer(text('new'))
    await using broker = await tinyBroker(first)
    const connections = await connected(broker.address)
    await expect(connections.call(1, echo(PRODUCE))).rejects.toThrow()
    expect(broker.requests).toHaveLength(1)
    expect(await connections.call(1, echo(PRODUCE))).toMatchObject({ text: 'new' })
    await connections.close()
  })

  for (const bytes of [2, 4, 7, 12])
    test(`half a reply (${bytes} bytes) of an ended connection is no part of what the next one brings`, async () => {
      await using broker = await tinyBroker((request) => {
        if (broker.requests.length === 1) request.answerPart(text('a reply that never comes whole'), bytes)
        else request.answer(text(`reply ${broker.requests.length}`))
      })
      const connections = await connected(broker.address, 1000)
      await expect(connections.call(1, echo(FETCH))).rejects.toThrow()
      expect(await connections.call(1, echo(FETCH))).toMatchObject({ text: 'reply 2' })
      expect(await connections.call(1, echo(FETCH))).toMatchObject({ text: 'reply 3' })
      await connections.close()
    })

  test('the same holds for kafkajs’s own clients', async () => {
    await using broker = await tinyBroker(() => undefined, 2)
    const kafka = new Kafka({
      brokers: [broker.address],
      requestTimeout: 500,
      retry: { retries: 2, initialRetryTime: 10 },
      logLevel: logLevel.NOTHING,
    })
    const admin = kafka.admin()
    await admin.connect()
    await admin.describeCluster().catch(() => undefined) // This one meets the half.
    expect(await admin.describeCluster()).toMatchObject({ brokers: [{ nodeId: 1 }] })
    await admin.disconnect()
  })

  test('ends by its own timeout, shorter than the connections one; the late reply is nobody else’s', async () => {
    const waiting: TinyRequest[] = []
    await using broker = await tinyBroker((request) => {
      waiting.push(request)
      if (waiting.length === 2) for (const [index, one] of waiting.entries()) one.answer(text(`${index}`))
    })
    const connections = await connected(broker.address)
    const started = performance.now()
    await expect(connections.call(1, echo(PRODUCE, 100))).rejects.toThrow(/within 100 ms/)
    expect(performance.now() - started).toBeLessThan(1000)
    expect(await connections.call(1, echo(PRODUCE))).toMatchObject({ text: '1' })
    await connections.close()
  })

  test('fails at once when its sockets are dropped', async () => {
    await using broker = await tinyBroker((request) => {
      if (broker.requests.length === 2) connections.drop(1)
      if (broker.requests.length > 2) request.answer(text('after'))
    })
    const connections = await connected(broker.address, 60_000)
    const both = [echo(PRODUCE), echo(FETCH)].map((one) => connections.call(1, one))
    for (const one of await Promise.allSettled(both)) expect(one.status).toBe('rejected')
    expect(await connections.call(1, echo(PRODUCE))).toMatchObject({ text: 'after' })
    await connections.close()
  })

  test('two at once on a closed connection open one', async () => {
    await using broker = await tinyBroker((request) => request.answer(text('ok')))
    const connections = await connected(broker.address)
    const before = broker.sockets.size
    await Promise.all([1, 2, 3].map(() => connections.call(1, echo(FETCH))))
    expect(broker.sockets.size).toBe(before + 1)
    await connections.close()
  })

  test('a quota is kept: after a throttled reply the next request waits', async () => {
    const came: number[] = []
    await using broker = await tinyBroker((request) => {
      came.push(performance.now())
      request.answer(text('ok', came.length === 1 ? 300 : 0))
    })
    const connections = await connected(broker.address)
    await connections.call(1, echo(PRODUCE))
    await connections.call(1, echo(PRODUCE))
    const [first = 0, second = 0] = came
    expect(second - first).toBeGreaterThanOrEqual(290)
    await connections.close()
  })

  test('held back by a quota until it is given up, it is never sent', async () => {
    await using broker = await tinyBroker((request) =>
      request.answer(text(`${request.apiKey}`, broker.requests.length === 1 ? 300 : 0)),
    )
    const connections = await connected(broker.address)
    await connections.call(1, echo(PRODUCE))
    await expect(connections.call(1, echo(24, 50))).rejects.toThrow(/within 50 ms/)
    expect(await connections.call(1, echo(26))).toMatchObject({ text: '26' })
    expect(broker.requests.map(({ apiKey }) => apiKey)).toEqual([PRODUCE, 26])
    await connections.close()
  })

  test('a connection at rest sets no timers', async () => {
    await using broker = await tinyBroker((request) => request.answer(text('ok')))
    const connections = await connected(broker.address)
    await connections.call(1, echo(PRODUCE))
    const timers = vi.spyOn(globalThis, 'setTimeout')
    await wait(100)
    expect(timers.mock.calls.length).toBeLessThan(5)
    timers.mockRestore()
    await connections.close()
  })

  test('close does not wait for what is not answered', async () => {
    await using broker = await tinyBroker(() => undefined)
    const connections = await connected(broker.address)
    const unanswered = connections.call(1, echo(PRODUCE)).catch(() => 'failed')
    while (broker.requests.length === 0) await wait(1)
    const started = performance.now()
    await connections.close()
    expect(await unanswered).toBe('failed')
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('nobody at the address is an error, soon', async () => {
    const broker = await tinyBroker(() => undefined)
    const connections = await connected(broker.address, 1000)
    await broker[Symbol.asyncDispose]()
    await expect(connections.call(1, echo(PRODUCE))).rejects.toThrow()
    await expect(connections.refresh(1000)).rejects.toThrow()
    await connections.close()
  })
})
