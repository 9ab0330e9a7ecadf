/** Nobody wins by leaving work out: what a system wrote is read back and counted, and so is what it says it counted. */
import { scan } from '../cluster/kafka/scan.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { Measured } from './child.ts'
import { type BenchLogin, type Counts, LoginCounts } from './login-loop.ts'

export interface Expected {
  readonly records: number
  readonly device_type: Counts
  readonly locale: Counts
}

/** Committed records only. */
export const countOutputs = async (topology: Topology, topic: string): Promise<Expected> => {
  const counts = new LoginCounts()
  let records = 0
  const partitions = [...(await topology.topic(topic)).partitions.keys()]
  for (const [partition, to] of await topology.ends(topic, partitions))
    await scan(topology, { topic, partition, from: 0, to }, (cursor) => {
      const text = cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)
      counts.add(JSON.parse(text) as BenchLogin)
      records++
    })
  return { records, device_type: counts.total('device_type'), locale: counts.total('locale') }
}

/** What is wrong, in words; none where all is as it must be. */
export const faultsOf = (
  expected: Expected,
  written: Expected,
  counted: Measured['counts'],
): readonly string[] => [
  ...(written.records === expected.records
    ? []
    : [`${written.records} outputs of ${expected.records} records`]),
  ...(['device_type', 'locale'] as const).flatMap((field) => [
    ...(same(written[field], expected[field]) ? [] : [`outputs differ by ${field}`]),
    ...(same(counted[field], expected[field]) ? [] : [`own counts differ by ${field}`]),
  ]),
]

const same = (a: Counts, b: Counts): boolean => {
  const labels = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...labels].every((label) => a[label] === b[label])
}
