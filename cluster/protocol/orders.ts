/**
 * What people order, beside the plans in the cluster topic; the newest of a key counts. An order asks; the leader takes it up
 * in its next plan (`PlanRecord.orders`), which outlives it, the leader and Redis. A flush alone is heard by workers themselves.
 * Orders are written one after another, each with the next epoch: one that is not above all before it was written before.
 */
import { isReadable } from './negotiation.ts'

/** `on: false` takes an earlier one back. */
export type Act =
  /** Every slot publishes its unfilled batch of insights, once: it notes the id in its state in the same transaction. */
  | { readonly kind: 'flush' }
  /** The worker shall own nothing. */
  | { readonly kind: 'drain'; readonly worker: string; readonly on: boolean }
  /** The partition is not read. */
  | { readonly kind: 'pause'; readonly partition: number; readonly on: boolean }
  /** The slot belongs to that worker for as long as it lives. */
  | { readonly kind: 'pin'; readonly slot: number; readonly worker: string; readonly on: boolean }
  /** The slot goes to that worker once; later plans may move it on. */
  | { readonly kind: 'move'; readonly slot: number; readonly worker: string }

export interface Order {
  readonly version: number
  readonly pipeline: string
  /** Above that of every order before it, from 1. */
  readonly epoch: number
  /** Unique per order, also where the cluster topic was made anew. */
  readonly id: string
  readonly act: Act
}

const PREFIX = 'order/'

export const isOrderKey = (key: string): boolean => key.startsWith(PREFIX)

const subjectOf = (act: Act): string => {
  if (act.kind === 'flush') return ''
  if (act.kind === 'drain') return `/${act.worker}`
  return `/${act.kind === 'pause' ? act.partition : act.slot}`
}

export const orderKey = ({ pipeline, act }: Pick<Order, 'pipeline' | 'act'>): string =>
  `${PREFIX}${act.kind}/${pipeline}${subjectOf(act)}`

/** As people read it. */
export const orderText = (act: Act): string => {
  const undone = 'on' in act && !act.on ? ', taken back' : ''
  if (act.kind === 'flush') return 'flush'
  if (act.kind === 'drain') return `drain ${act.worker}${undone}`
  if (act.kind === 'pause') return `${act.on ? 'pause' : 'resume'} partition ${act.partition}`
  return `${act.kind} slot ${act.slot} to ${act.worker}${undone}`
}

/** Undefined where it is malformed, of another version, or of another subject than its key says. */
export const parseOrder = (key: string, text: string): Order | undefined => {
  try {
    const order: unknown = JSON.parse(text)
    return isOrder(order) && orderKey(order) === key ? order : undefined
  } catch {
    return undefined
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const isOrder = (value: unknown): value is Order => {
  if (typeof value !== 'object' || value === null) return false
  const { version, pipeline, epoch, id, act } = value as Partial<Record<keyof Order, unknown>>
  return isReadable(version) && isText(pipeline) && isCount(epoch) && epoch > 0 && isText(id) && isAct(act)
}

const isAct = (value: unknown): value is Act => {
  if (typeof value !== 'object' || value === null) return false
  const act = value as Record<string, unknown>
  if (act.kind === 'flush') return true
  if (act.kind === 'move') return isCount(act.slot) && isText(act.worker)
  if (typeof act.on !== 'boolean') return false
  if (act.kind === 'drain') return isText(act.worker)
  if (act.kind === 'pause') return isCount(act.partition)
  return act.kind === 'pin' && isCount(act.slot) && isText(act.worker)
}
