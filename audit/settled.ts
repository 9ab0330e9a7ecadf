/**
 * Ends behind which nothing is hidden. The markers of one transaction reach its partitions one by one: a position may be
 * visible a moment before the outputs it was committed with. So the audit waits until all that was written when it asked
 * is committed or aborted. A dead worker's open transaction ends by itself, after MILLRACE_TRANSACTION_TIMEOUT.
 */
import { MillraceError } from '../cluster/errors.ts'
import { pause } from '../cluster/kafka/failures.ts'
import type { Topology } from '../cluster/kafka/topology.ts'

export interface Patience {
  /** ms */
  readonly openTransactions: number
  readonly signal?: AbortSignal | undefined
  /** Told once for what it waits, where that takes longer than a moment. */
  readonly waiting?: ((detail: string) => void) | undefined
}

const POLL_MS = 20
const MOMENT_MS = 2000

/** @throws MillraceError `timeout` */
export const settledEnds = async (
  topology: Topology,
  topic: string,
  partitions: readonly number[],
  patience: Patience,
): Promise<ReadonlyMap<number, number>> => {
  const written = await topology.written(topic, partitions)
  const started = performance.now()
  let told = false
  for (;;) {
    const ends = await topology.ends(topic, partitions)
    const open = partitions.find((partition) => (ends.get(partition) ?? 0) < (written.get(partition) ?? 0))
    if (open === undefined || patience.signal?.aborted) return ends
    const waited = performance.now() - started
    const detail = `the transaction that is open at ${topic}/${open}@${ends.get(open)} to end`
    if (waited > patience.openTransactions)
      throw new MillraceError('timeout', `waited ${Math.round(waited / 1000)} s for ${detail}`)
    if (waited > MOMENT_MS && !told) {
      told = true
      patience.waiting?.(detail)
    }
    await pause(POLL_MS, patience.signal)
  }
}

const LAGGING_MS = 5000

/**
 * Ends of the input, which a position was read below: they may lag for a moment (a marker is under way, a new leader
 * learns what is committed). An input that stays shorter has lost records; the fates beyond its end are foreign then.
 */
export const endsBeyond = async (
  topology: Topology,
  topic: string,
  positions: ReadonlyMap<number, number>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, number>> => {
  const started = performance.now()
  for (;;) {
    const ends = await topology.ends(topic, [...positions.keys()])
    const reached = [...positions].every(([partition, position]) => (ends.get(partition) ?? 0) >= position)
    if (reached || signal?.aborted || performance.now() - started > LAGGING_MS) return ends
    await pause(POLL_MS, signal)
  }
}
