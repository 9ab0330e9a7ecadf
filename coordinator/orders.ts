/**
 * What a leader makes of orders. Pure: (orders in force, orders that came, the layout) -> orders in force, moves to carry out,
 * and what cannot be obeyed. An order that is not newer than those taken up is not looked at: a repeated one changes nothing.
 */
import { type Order, orderText } from '../cluster/protocol/orders.ts'
import type { Standing } from '../cluster/protocol/plan.ts'

export const noStanding: Standing = { seen: 0, pins: {}, drains: [], paused: [] }

export interface Obeyed {
  readonly standing: Standing
  /** Slot -> worker, once. */
  readonly moves: Readonly<Record<string, string>>
  /** One line each. */
  readonly refused: readonly string[]
}

/** Workers come and go under ever new names: those that were drained long ago are gone. */
const MOST_DRAINS = 256

export interface Layout {
  readonly slots: number
  /** Workers that may own slots. */
  readonly workers: readonly string[]
}

export const obey = (before: Standing, orders: readonly Order[], { slots, workers }: Layout): Obeyed => {
  const pins = new Map(Object.entries(before.pins))
  const drains = new Set(before.drains)
  const paused = new Set(before.paused)
  const moves = new Map<string, string>()
  const refused: string[] = []
  const fresh = orders.filter(({ epoch }) => epoch > before.seen).toSorted((a, b) => a.epoch - b.epoch)
  for (const { act, epoch } of fresh) {
    const refuse = (why: string) => refused.push(`order ${epoch} (${orderText(act)}): ${why}, nothing moves`)
    if ('slot' in act && act.slot >= slots) refuse(`there are only ${slots} slots`)
    else if (act.kind === 'move' && !workers.includes(act.worker)) refuse('no such worker takes slots')
    else if (act.kind === 'drain') put(drains, act.worker, act.on)
    else if (act.kind === 'pause') put(paused, act.partition, act.on)
    else if (act.kind === 'move') moves.set(String(act.slot), act.worker)
    else if (act.kind === 'pin' && act.on) pins.set(String(act.slot), act.worker)
    else if (act.kind === 'pin') pins.delete(String(act.slot))
  }
  const standing = {
    seen: fresh.at(-1)?.epoch ?? before.seen,
    pins: Object.fromEntries(pins),
    drains: [...drains].slice(-MOST_DRAINS),
    paused: [...paused].sort((a, b) => a - b),
  }
  return { standing, moves: Object.fromEntries(moves), refused }
}

const put = <T>(set: Set<T>, value: T, on: boolean): void => {
  set.delete(value)
  if (on) set.add(value)
}
