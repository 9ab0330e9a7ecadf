import { expect, test } from 'vitest'
import { type BrokerPlace, brokerProperties, formatProperties } from '../../../cli/services/broker-config.ts'

const place = (id: number): BrokerPlace => ({
  id,
  folder: `/data/broker-${id}`,
  ports: { client: 1000 + id, internal: 2000 + id, controller: 3000 + id },
})
const one = [place(1)]
const three = [place(1), place(2), place(3)]

test('a single broker keeps one copy of everything, three keep three with two in sync', () => {
  expect(brokerProperties(place(1), one)).toMatchObject({
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'min.insync.replicas': 1,
  })
  expect(brokerProperties(place(2), three)).toMatchObject({
    'offsets.topic.replication.factor': 3,
    'transaction.state.log.replication.factor': 3,
    'transaction.state.log.min.isr': 2,
    'min.insync.replicas': 2,
    'controller.quorum.voters': '1@127.0.0.1:3001,2@127.0.0.1:3002,3@127.0.0.1:3003',
  })
})

test('a proxy is advertised to clients, while brokers reach each other past it', () => {
  const properties = brokerProperties({ ...place(1), advertisedPort: 9999 }, one)
  expect(properties['advertised.listeners']).toBe('CLIENT://127.0.0.1:9999,INTERNAL://127.0.0.1:2001')
  expect(properties.listeners).toContain('CLIENT://127.0.0.1:1001')
})

test('nothing listens beyond loopback', () => {
  const listeners = String(brokerProperties(place(1), three).listeners).split(',')
  expect(listeners).toHaveLength(3)
  for (const listener of listeners) expect(listener).toMatch(/^[A-Z]+:\/\/127\.0\.0\.1:\d+$/)
})

test('overrides win', () => {
  const text = formatProperties(brokerProperties(place(1), one, { 'message.max.bytes': 5 }))
  expect(text).toContain('message.max.bytes=5\n')
})
