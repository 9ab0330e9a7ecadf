/** What the fates come to: a verdict of each partition, the counters beside it, and what nobody can know. Pure. */
import { slotOf } from '../cluster/protocol/names.ts'
import type { Fate, FateBook, FateVerdict } from './fate-book.ts'
import { type FateLog, type Ground, isCompacted, type Sources } from './ground.ts'
import { compareCounters, type Mismatch } from './mismatch.ts'
import type { ScanTally } from './visits.ts'

export const verdictsOf = (ground: Ground, { books }: ScanTally): Map<number, FateVerdict> => {
  for (const [partition, offsets] of ground.begin.parked)
    for (const offset of offsets) books.get(partition)?.note(offset, 'parked')
  return new Map(
    [...books].map(([partition, book]) => [
      partition,
      book.verdict(provableFrom(ground, partition, book), isComplete(ground, partition, book)),
    ]),
  )
}

/** Compaction takes outputs from anywhere. */
const isComplete = ({ begin, configs }: Ground, partition: number, book: FateBook): boolean =>
  !isCompacted(configs.output) || book.seen('output') >= (begin.positions.get(partition)?.counters.done ?? 0)

const provableFrom = (ground: Ground, partition: number, book: FateBook): number => {
  const { begin, slots, outputs, letters, drops, mapping } = ground
  const counters = begin.positions.get(partition)?.counters
  const places = [...(outputs?.ends.keys() ?? [])]
  const limit = (log: FateLog, fates: readonly Fate[], counted: number, partitions: readonly number[]) => {
    if (!log.horizon.moved) return 0
    const seen = fates.reduce((sum, fate) => sum + book.seen(fate), 0)
    return log.horizon.provableFrom(partition, { seen, counted, partitions, next: book.range.to })
  }
  const { done = 0, dead = 0, dropped = 0 } = counters ?? {}
  const slot = [slotOf(partition, slots)]
  return Math.max(
    outputs === undefined
      ? limit(drops, ['output', 'drop'], done + dropped, slot)
      : Math.max(
          limit(outputs, ['output'], done, mapping === 'key' ? places : [partition % places.length]),
          limit(drops, ['drop'], dropped, slot),
        ),
    limit(letters, ['dead'], dead, [partition % letters.ends.size]),
  )
}

/** Compared where each offset has one fate, else they say nothing new; and since the first position, as they are counted. */
export const counterFindings = (
  ground: Ground,
  { books }: ScanTally,
  verdicts: ReadonlyMap<number, FateVerdict>,
): { readonly mismatches: readonly Mismatch[]; readonly notProvable: readonly string[] } => {
  const mismatches: Mismatch[] = []
  const notProvable: string[] = []
  for (const [partition, { first, counters }] of ground.begin.positions) {
    const [book, verdict] = [books.get(partition), verdicts.get(partition)]
    if (book === undefined || verdict === undefined) continue
    if (verdict.lost + verdict.double + verdict.foreign > 0) continue
    const prefix = `counters of partition ${partition}:`
    if (!isComplete(ground, partition, book))
      notProvable.push(`${prefix} ${ground.outputs?.topic} is compacted, outputs may be gone from anywhere`)
    else if (verdict.from !== first)
      notProvable.push(`${prefix} they begin at offset ${first}, the fates that are left at ${verdict.from}`)
    else mismatches.push(...compareCounters(partition, counters, verdict))
  }
  return { mismatches, notProvable }
}

export const unknowns = (
  { input, names }: Sources,
  ground: Ground,
  { unmarked }: ScanTally,
): readonly string[] => {
  const all = input.knownTopic(names.input)?.partitions.map(({ partition }) => partition) ?? []
  const idle = all.filter((partition) => !ground.begin.positions.has(partition))
  const { input: configs, output } = ground.configs
  const hidden = [
    ...(configs === undefined ? [names.input] : []),
    ...(output === undefined && names.output !== undefined ? [names.output] : []),
  ]
  return [
    ...(idle.length > 0
      ? [`partitions ${idle.join(', ')} of ${names.input}: they have no position yet`]
      : []),
    ...(isCompacted(configs)
      ? [`fates of records that compaction took out of ${names.input}: whether there was such a record`]
      : []),
    ...hidden.map((topic) => `whether ${topic} is compacted: Kafka refuses to show its settings`),
    ...(unmarked.count > 0
      ? [
          `${unmarked.count} records that name no offset of ${names.input}, such as ${unmarked.named[0]}: somebody else writes there`,
        ]
      : []),
  ]
}
