/**
 * The audit: from outside, what became of every input offset below the positions, and whether the numbers people see are
 * those that the outputs add up to (protocol P7). It reads committed records only and shares no code with the data path.
 *
 *   ground -> scans (data, fates) -> verdict of each partition
 *                \-> recount of the aggregates <-> state, Redis
 *
 * Law: with every offset's fate in place it says ok; whatever is lost, doubled, foreign or counted wrong is named; what
 * cannot be known is said to be not provable, never passed over.
 */
import type { Redis } from 'ioredis'
import { MillraceError } from '../cluster/errors.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { Names } from '../cluster/protocol/names.ts'
import { slotOf } from '../cluster/protocol/names.ts'
import { keysOf } from '../cluster/redis/keys.ts'
import { viewReader } from '../cluster/redis/views-read.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import { compareAggregates } from './aggregates.ts'
import type { Fate, FateBook, FateVerdict } from './fate-book.ts'
import { type FateLog, type Ground, isCompacted, layGround } from './ground.ts'
import { Recount } from './recount.ts'
import { type AuditReport, compareCounters, type Mismatch, reportOf } from './report.ts'
import { type ScanTally, scanFates } from './scans.ts'

export interface AuditDeps {
  readonly input: Topology
  readonly home: Topology
  readonly names: Names
  readonly pipeline: AnyPipeline
  /** The pipeline's, or what `--as` renamed it to. */
  readonly name: string
  /** Absent: the views are not compared. */
  readonly redis?: Redis | undefined
  readonly clusterId: string
  /** ms until a difference in Redis counts: publishing follows the commit. */
  readonly wait?: number | undefined
  /** ms until an open transaction is no longer waited for. */
  readonly openTransactions?: number
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((done: number, total: number) => void) | undefined
  readonly waiting?: ((detail: string) => void) | undefined
}

const WAIT_MS = 10_000
/** The default of MILLRACE_TRANSACTION_TIMEOUT, and the broker's next look. */
const OPEN_TRANSACTIONS_MS = 90_000
const ATTEMPTS = 3

/** @throws MillraceError where it cannot be done; what it finds is in the report */
export const audit = async (deps: AuditDeps): Promise<AuditReport> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await auditOnce(deps)
    } catch (error) {
      // Retention may take a log start away from under a scan.
      const moved = error instanceof MillraceError && error.code === 'position-gap'
      if (!moved || attempt === ATTEMPTS) throw error
    }
  }
}

const auditOnce = async (deps: AuditDeps): Promise<AuditReport> => {
  const { names, name, pipeline, signal, waiting } = deps
  const openTransactions = deps.openTransactions ?? OPEN_TRANSACTIONS_MS
  const ground = await layGround(deps, { openTransactions, signal, waiting })
  const watermarks = watermarksOf(ground)
  const recount = new Recount(pipeline, ground.slots, watermarks, ground.begin.since)
  const tally = await scanFates({ sources: deps, ground, recount, signal, progress: deps.progress })
  requireWhole(signal)
  const verdicts = verdictsOf(ground, tally)
  const counters = counterFindings(ground, tally, verdicts)
  const aggregates = await compareAggregates({
    pipeline,
    name,
    ground,
    tally,
    watermarks,
    recount,
    views: deps.redis && viewReader(deps.redis, keysOf(deps.clusterId)),
    wait: deps.wait ?? WAIT_MS,
    signal,
  })
  requireWhole(signal)
  return reportOf({
    pipeline: name,
    topic: names.input,
    verdicts,
    mismatches: [...counters.mismatches, ...tally.unreadable, ...aggregates.mismatches],
    order: tally.order,
    notProvable: [...unknowns(deps, ground, tally), ...counters.notProvable, ...aggregates.notProvable],
  })
}

const requireWhole = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted)
    throw new MillraceError('timeout', 'the audit was interrupted before its end', { remedy: 'run it again' })
}

const watermarksOf = ({ begin, slots }: Ground): Map<number, number> => {
  const watermarks = new Map<number, number>()
  for (const [partition, { watermark }] of begin.positions) {
    const slot = slotOf(partition, slots)
    watermarks.set(slot, Math.max(watermark, watermarks.get(slot) ?? 0))
  }
  return watermarks
}

const verdictsOf = (ground: Ground, { books }: ScanTally): Map<number, FateVerdict> => {
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
  const limit = (log: FateLog, fate: Fate, counted: number | undefined, partitions: readonly number[]) =>
    log.horizon.moved
      ? log.horizon.provableFrom(partition, {
          seen: book.seen(fate),
          counted: counted ?? 0,
          partitions,
          next: book.range.to,
        })
      : 0
  return Math.max(
    outputs === undefined
      ? 0
      : limit(outputs, 'output', counters?.done, mapping === 'key' ? places : [partition % places.length]),
    limit(letters, 'dead', counters?.dead, [partition % letters.ends.size]),
    limit(drops, 'drop', counters?.dropped, [slotOf(partition, slots)]),
  )
}

/** Compared where each offset has one fate, else they say nothing new; and since the first position, as they are counted. */
const counterFindings = (
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

const unknowns = (
  { input, names }: AuditDeps,
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
