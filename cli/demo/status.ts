/** Where a demo stands, from what the workers report, and as one line. Pure. */
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import { count } from '../output.ts'
import { progressLine } from '../progress.ts'

export interface Standing {
  /** By input partition, as far as workers report them. */
  readonly next: ReadonlyMap<number, number>
  readonly recordsPerSecond: number
  readonly lag: number
  readonly done: number
  readonly dead: number
  readonly dropped: number
  readonly late: number
  readonly parked: number
  /** Slots that a person must look after. */
  readonly halted: readonly string[]
}

export const standingOf = (reports: readonly WorkerReport[]): Standing => {
  const slots = reports.flatMap((report) => report.owned)
  const partitions = slots.flatMap((slot) => slot.partitions)
  const sum = (pick: (slot: (typeof slots)[number]) => number) =>
    slots.reduce((total, slot) => total + pick(slot), 0)
  return {
    next: new Map(partitions.map(({ partition, next }) => [partition, next])),
    recordsPerSecond: sum((slot) => slot.recordsPerSecond),
    lag: partitions.reduce((total, { lag }) => total + lag, 0),
    done: sum((slot) => slot.counters.done),
    dead: sum((slot) => slot.counters.dead),
    dropped: sum((slot) => slot.counters.dropped),
    late: sum((slot) => slot.counters.late),
    parked: sum((slot) => slot.counters.parked),
    halted: slots.flatMap((slot) => (slot.state === 'halted' ? [`slot ${slot.slot}: ${slot.reason}`] : [])),
  }
}

export interface Produced {
  readonly sent: number
  /** Infinity where there is no end. */
  readonly total: number
  /** ms since the generator began. */
  readonly elapsed: number
}

/** `1,500/s in, 1,498/s out, lag 12 | outputs 9,120, dead 90, drops 0 | restarts 0`, with a bar where a count is given. */
export const statusLine = (standing: Standing, produced: Produced, restarts: number): string => {
  const { done, dead, dropped, late, parked } = standing
  const finished = done + dead + dropped
  const perSecond = produced.elapsed > 0 ? (produced.sent / produced.elapsed) * 1000 : 0
  const counts = `outputs ${count(done)}, dead ${count(dead)}, drops ${count(dropped)}${parked > 0 ? `, parked ${count(parked)}` : ''}${late > 0 ? `, late ${count(late)}` : ''}`
  const bar = Number.isFinite(produced.total)
    ? `${progressLine({ done: finished, total: produced.total, elapsed: produced.elapsed })} | `
    : ''
  const rates = `${count(Math.round(perSecond))}/s in, ${count(Math.round(standing.recordsPerSecond))}/s out, lag ${count(standing.lag)}`
  return `${bar}${rates} | ${counts} | restarts ${restarts}`
}
