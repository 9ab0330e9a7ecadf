/** `millrace insights --flush`: orders every slot to publish its unfilled batch, and waits until each says that it has. */
import { MillraceError } from '../cluster/errors.ts'
import { pause } from '../cluster/kafka/failures.ts'
import type { SlotReport, WorkerReport } from '../cluster/protocol/plan.ts'
import type { Workers } from '../cluster/redis/workers.ts'
import type { Settings } from '../cluster/settings.ts'
import { giveOrder } from './orders.ts'

export interface Flushed {
  readonly order: string
  readonly slots: number
  /** False: no worker lives; each slot carries the order out when one starts. */
  readonly done: boolean
}

export interface FlushOptions {
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

const LOOK_MS = 200

/** @throws MillraceError `timeout` where a slot has not flushed by the deadline */
export const flush = async (
  settings: Settings,
  pipeline: string,
  workers: Workers,
  { deadlineMs, signal }: FlushOptions,
): Promise<Flushed> => {
  const { id: order } = await giveOrder(settings, pipeline, { kind: 'flush' })
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const { live } = await workers.read()
    const own = live.filter((report) => report.pipeline === pipeline)
    const slots = Math.max(0, ...own.map((report) => report.slots))
    if (own.length === 0) return { order, slots, done: false }
    const open = openSlots(own, slots, order)
    if (open.length === 0) return { order, slots, done: true }
    if (performance.now() > deadline || signal.aborted) throw late(open, slots)
    await pause(LOOK_MS, signal)
  }
}

/** Slots that have not said that they carried the order out, with what is known of them. */
export const openSlots = (
  reports: readonly WorkerReport[],
  slots: number,
  order: string,
): readonly string[] => {
  const owned = new Map<number, SlotReport>()
  for (const report of reports.flatMap((one) => one.owned)) owned.set(report.slot, report)
  return Array.from({ length: slots }, (_, slot) => owned.get(slot) ?? slot).flatMap((slot) => {
    if (typeof slot === 'number') return [`${slot} (no owner)`]
    return slot.flushed === order ? [] : [`${slot.slot} (${slot.reason || slot.state})`]
  })
}

const late = (open: readonly string[], slots: number): MillraceError =>
  new MillraceError('timeout', `${open.length} of ${slots} slots have not flushed yet: ${open.join(', ')}`, {
    remedy:
      'the order stands: each slot carries it out when it runs; `millrace insights` shows what still waits',
  })

/** Records in unfilled batches, as the live workers report them; undefined where none lives. */
export const waitingIn = (reports: readonly WorkerReport[], pipeline: string): number | undefined => {
  const own = reports.filter((report) => report.pipeline === pipeline)
  if (own.length === 0) return undefined
  return own.flatMap(({ owned }) => owned).reduce((sum, { waiting = 0 }) => sum + waiting, 0)
}
