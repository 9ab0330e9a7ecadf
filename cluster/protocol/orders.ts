/** What people order, beside the plans in the cluster topic: key `order/flush/<pipeline>`; the newest of a key counts. */
import { PROTOCOL_VERSION } from './plan.ts'

/** Every slot publishes its unfilled batch of insights, once: it notes the id in its state in the same transaction. */
export interface FlushOrder {
  readonly version: number
  readonly pipeline: string
  /** Unique per order. */
  readonly id: string
}

const KEY = /^order\/flush\/(.+)$/

export const flushKey = (pipeline: string): string => `order/flush/${pipeline}`

export const isOrderKey = (key: string): boolean => KEY.test(key)

/** Undefined where it is malformed, of another version, or of another pipeline than its key says. */
export const parseFlush = (key: string, text: string): FlushOrder | undefined => {
  try {
    const order: unknown = JSON.parse(text)
    return isFlush(order) && flushKey(order.pipeline) === key ? order : undefined
  } catch {
    return undefined
  }
}

const isFlush = (value: unknown): value is FlushOrder => {
  if (typeof value !== 'object' || value === null) return false
  const { version, pipeline, id } = value as Partial<Record<keyof FlushOrder, unknown>>
  return version === PROTOCOL_VERSION && typeof pipeline === 'string' && typeof id === 'string' && id !== ''
}
