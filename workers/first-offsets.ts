/** What a pipeline's very first start asks of consumer groups: has it run before, and whose offsets does it take over? */
import type { Admin } from 'kafkajs'
import { MillraceError } from '../cluster/errors.ts'
import { insist } from '../cluster/kafka/failures.ts'
import { type Names, slotOf } from '../cluster/protocol/names.ts'
import { MIRROR_METADATA } from './mirror.ts'
import type { FirstOffsets } from './takeover.ts'

export interface FirstOffsetsOf {
  readonly names: Names
  readonly slot: number
  readonly slots: number
  readonly fromGroup: string | undefined
  /** Named offsets by partition; they come before a group's. */
  readonly from: ReadonlyMap<number, number> | undefined
}

/** @param admin of the input cluster */
export const firstOffsets = (
  admin: Admin,
  { names, slot, slots, fromGroup, from }: FirstOffsetsOf,
): FirstOffsets => ({
  async hasRun() {
    const mirrored = await offsetsOf(admin, names.group, names.input)
    return mirrored.some(
      ({ partition, metadata }) => slotOf(partition, slots) === slot && metadata.startsWith(MIRROR_METADATA),
    )
  },
  async taken() {
    if (from !== undefined) return from
    if (fromGroup === undefined) return new Map()
    const taken = (await offsetsOf(admin, fromGroup, names.input)).filter(({ offset }) => offset >= 0)
    if (taken.length > 0) return new Map(taken.map(({ partition, offset }) => [partition, offset]))
    throw new MillraceError('settings', `group ${fromGroup} has no offsets in ${names.input}`, {
      remedy: 'check MILLRACE_FROM_GROUP',
    })
  },
})

const offsetsOf = async (admin: Admin, groupId: string, topic: string) => {
  // A young cluster makes its offsets topic at the first question.
  const [found] = await insist(() => admin.fetchOffsets({ groupId, topics: [topic] }))
  return (found?.partitions ?? []).map(({ partition, offset, metadata }) => ({
    partition,
    offset: Number(offset),
    metadata: metadata ?? '',
  }))
}
