/** Guarantee: `kafka-consumer-groups` shows the true lag, and 0 when all is read. */
import { expect, test } from 'vitest'
import { TestCluster, until } from '../support/cluster.ts'
import { kafkaTool, useServices } from '../support/services.ts'

const RECORDS = 5000
const TOOL = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'

interface Row {
  readonly partition: number
  readonly current: number
  readonly end: number
  readonly lag: number
}

/** Columns: GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ... */
const describeGroup = async (kafka: readonly string[], group: string): Promise<Row[]> => {
  const { stdout } = await kafkaTool(TOOL, [
    '--bootstrap-server',
    kafka.join(','),
    '--describe',
    '--group',
    group,
  ])
  return stdout.split('\n').flatMap((line) => {
    const [name, , partition, current, end, lag] = line.trim().split(/\s+/)
    return name === group
      ? [{ partition: Number(partition), current: Number(current), end: Number(end), lag: Number(lag) }]
      : []
  })
}

test('kafka-consumer-groups shows the position, and lag 0 when all is read', {
  timeout: 120_000,
}, async () => {
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis, partitions: 3 })
  const { workers } = await cluster.start(1)
  await cluster.produce(RECORDS, { seed: 37 })
  await cluster.drained(60_000)
  await until('the group is mirrored', 50_000, async () => {
    const rows = await describeGroup(kafka, cluster.names.group)
    return rows.length === 3 && rows.every(({ lag }) => lag === 0)
  })
  await workers.stop()
  await cluster.produce(RECORDS, { seed: 38 })
  const rows = await describeGroup(kafka, cluster.names.group)
  expect(rows.reduce((sum, { current }) => sum + current, 0)).toBe(RECORDS)
  expect(rows.reduce((sum, { lag }) => sum + lag, 0)).toBe(RECORDS)
})
