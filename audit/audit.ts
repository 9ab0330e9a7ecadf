/**
 * The audit: from outside, what became of every input offset below the positions, and whether the numbers people see are
 * those that the outputs add up to (protocol P7). It reads committed records only and shares no code with the data path, but
 * for a pipeline without outputs: its done records run again.
 *
 *   ground -> scans (data, fates) -> verdict of each partition
 *                |-> recount of the aggregates <-> state, Redis
 *                \-> batches of insights <-> state
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
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'
import { prepare } from '../pipelines/api/execute.ts'
import { compareAggregates } from './aggregates.ts'
import { counterFindings, unknowns, verdictsOf } from './findings.ts'
import { type Ground, layGround } from './ground.ts'
import { compareInsights } from './insights.ts'
import { Recount } from './recount.ts'
import { type AuditReport, reportOf } from './report.ts'
import { type Rerun, rerunDone } from './rerun.ts'
import { scanFates } from './scans.ts'
import type { ScanTally } from './visits.ts'

export interface AuditDeps {
  readonly input: Topology
  readonly home: Topology
  readonly names: Names
  readonly pipeline: AnyPipeline
  /** The pipeline's, or what `--as` renamed it to. */
  readonly name: string
  /**
   * The pipeline's own, asked for only where its done records must run again: it has aggregates, but no outputs.
   * @throws MillraceError where they are not set: the recount is not provable then
   */
  readonly options?: (() => JsonObject) | undefined
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
/** Options that are not set, a `setup` that fails. */
const UNREADY: readonly string[] = ['settings', 'pipeline-load']

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
  const tally = await scanFates({ sources: deps, ground, recount, name, signal, progress: deps.progress })
  requireWhole(signal)
  const verdicts = verdictsOf(ground, tally)
  const counters = counterFindings(ground, tally, verdicts)
  const rerun = await rerunFor(deps, ground, recount, tally)
  const insights = compareInsights(ground, tally.batches)
  const aggregates = await compareAggregates({
    ...{ pipeline, name, ground, tally, watermarks, recount, rerun, signal },
    views: deps.redis && viewReader(deps.redis, keysOf(deps.clusterId)),
    wait: deps.wait ?? WAIT_MS,
  })
  requireWhole(signal)
  const found = [counters, ...(typeof rerun === 'object' ? [rerun] : []), insights, aggregates]
  return reportOf({
    pipeline: name,
    topic: names.input,
    output: names.output,
    verdicts,
    mismatches: [...found.flatMap(({ mismatches }) => mismatches), ...tally.unreadable],
    order: tally.order,
    notProvable: [
      ...unknowns(deps, ground, tally),
      ...[counters, insights, aggregates].flatMap(({ notProvable }) => notProvable),
    ],
  })
}

/** Undefined where nothing needs it; a text says why it cannot be. */
const rerunFor = async (
  deps: AuditDeps,
  ground: Ground,
  recount: Recount,
  tally: ScanTally,
): Promise<Rerun | string | undefined> => {
  if (ground.outputs !== undefined || !recount.countsDone) return undefined
  const { input: topology, names, signal, progress } = deps
  try {
    // Only what was done runs again: no record was too large.
    const prepared = await prepare(deps.pipeline, deps.options?.(), { maxRecordBytes: Infinity })
    const topic = names.input
    return await rerunDone({
      ...{ topology, topic, ends: ground.inputEnds, tally, prepared, recount, signal, progress },
    })
  } catch (error) {
    if (!(error instanceof MillraceError) || !UNREADY.includes(error.code)) throw error
    return `the done records cannot run again: ${error.message}; ${error.remedy}`
  }
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
