/** `millrace pause` and `resume`: partitions that are not read. They act on the partition, not on its slot. */
import { carry } from './carry.ts'
import { type Field, requirePartitions } from './find.ts'
import type { Ground } from './ground.ts'
import { listed } from './text.ts'

/** @returns what came of it, as a line */
export const pausePartitions = async (
  ground: Ground,
  partitions: readonly number[],
  on: boolean,
  waitMs: number,
): Promise<string> => {
  const { input, pipeline } = ground
  requirePartitions(partitions, input.topic, input.partitions)
  const acts = partitions.map((partition) => ({ kind: 'pause', partition, on }) as const)
  const carried = await carry(ground, acts, {
    waitMs,
    missing: (field) => notYet(field, partitions, on),
  })
  const what = `${listed('partition', partitions)} of ${pipeline}`
  if ('stands' in carried) return `${what}: the order to ${on ? 'pause' : 'resume'} stands; ${carried.stands}`
  const { epoch } = carried.field.plan ?? {}
  return on
    ? `paused by plan ${epoch}: ${what}; not read until \`millrace resume\``
    : `resumed by plan ${epoch}: ${what}`
}

/** What its worker says; where it says nothing of a partition, nobody reads it. */
const notYet = ({ reports = [] }: Field, partitions: readonly number[], on: boolean): string => {
  const reported = reports.flatMap(({ owned }) => owned.flatMap((slot) => slot.partitions))
  const other = reported.filter(
    ({ partition, paused = false }) => partitions.includes(partition) && paused !== on,
  )
  const numbers = [...new Set(other.map(({ partition }) => partition))]
  return numbers.length === 0 ? '' : `${listed('partition', numbers)} not ${on ? 'left alone' : 'read'} yet`
}
