/** What docs/from-kafkajs.md promises of taking over a group, with a real kafkajs consumer before it. */
import { type Admin, type Consumer, Kafka, logLevel } from 'kafkajs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { clean, TestCluster } from '../support/cluster.ts'
import { uniqueName, useServices } from '../support/services.ts'

vi.setConfig({ testTimeout: 180_000 })

const RECORDS = 600

/** Partition -> offset, as the group has committed them. */
const offsetsOf = async (admin: Admin, groupId: string, topic: string) => {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  return new Map(found?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
}

/** Consumes so many records and leaves, as somebody's service would. */
const consumed = async (consumer: Consumer, topic: string, count: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let seen = 0
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async () => {
      seen++
      if (seen === count) resolve()
    },
  })
  await promise
  await consumer.disconnect()
}

/** One restart: what fails, fails for good. */
const opened = async (groupId: string) => {
  const services = await useServices()
  const cluster = await TestCluster.open({
    ...services,
    partitions: 2,
    settings: { fromGroup: groupId, restarts: 1 },
  })
  const kafka = new Kafka({ brokers: [...services.kafka], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  return { cluster, kafka, admin }
}

test('the first start goes on where the group stands, and leaves the group as it is', async () => {
  const groupId = uniqueName('old-service')
  const { cluster, kafka, admin } = await opened(groupId)
  await using _ = cluster
  await cluster.produce(RECORDS, { seed: 41 })
  await consumed(kafka.consumer({ groupId }), cluster.names.input, RECORDS / 2)
  await cluster.produce(RECORDS, { seed: 42 })

  const group = await offsetsOf(admin, groupId, cluster.names.input)
  // -1 where it has committed nothing: such a partition begins at its log start.
  const firsts = [...group.values()].map((offset) => Math.max(0, offset))
  const taken = firsts.reduce((sum, offset) => sum + offset, 0)
  expect(taken).toBeGreaterThan(0)
  const run = cluster.run('run', '--to', 'end')
  expect(await run.exited, run.lines.join('\n')).toBe(0)

  const report = await cluster.audit()
  expect(report).toMatchObject(clean)
  expect(report.partitions.map(({ from }) => from)).toEqual(firsts)
  expect(report.outputs + report.dead).toBe(2 * RECORDS - taken)
  expect(await offsetsOf(admin, groupId, cluster.names.input)).toEqual(group)

  // Later starts do not look at the group again.
  const partitions = report.partitions.map(({ partition }) => ({ partition, offset: '1' }))
  await admin.setOffsets({ groupId, topic: cluster.names.input, partitions })
  await cluster.produce(RECORDS, { seed: 43 })
  const again = cluster.run('run', '--to', 'end')
  expect(await again.exited, again.lines.join('\n')).toBe(0)
  const later = await cluster.audit()
  expect(later).toMatchObject({ ...clean, produced: 3 * RECORDS - taken })
  expect(later.partitions.map(({ from }) => from)).toEqual(firsts)
})

test('a group that has no offsets in the input stops the start, and nothing is processed', async () => {
  const groupId = uniqueName('misspelt')
  const { cluster } = await opened(groupId)
  await using _ = cluster
  await cluster.produce(10, { seed: 45 })
  const run = cluster.run('run', '--to', 'end')
  expect(await run.exited).not.toBe(0)
  expect(run.lines.at(-1)).toContain(`group ${groupId} has no offsets in ${cluster.names.input}`)
  expect(run.count(/done|output/)).toBe(0)
})
