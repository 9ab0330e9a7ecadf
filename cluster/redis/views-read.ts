/** Reading the views: parts as they lie there, and what they come to when combined. Combining is the caller's algebra. */
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

export interface SlotHead {
  readonly slot: number
  readonly stateTopicId: string
  readonly epoch: number
  /** Epoch ms up to which the slot's parts are complete; -1 where nothing is known. */
  readonly watermark: number
}

/** Whole windows only: `from <= start < to`. `size` as in the state topic's key. */
export interface WindowRange {
  readonly size?: string
  readonly from?: number
  readonly to?: number
}

export interface WindowRef {
  readonly size: string
  readonly start: number
  /** Slots that hold a part, ascending. */
  readonly slots: readonly number[]
}

export interface Part {
  readonly slot: number
  readonly aggregate: string
  readonly offset: number
  readonly value: unknown
}

export interface WindowParts extends WindowRef {
  /** By slot, then as stored. */
  readonly parts: readonly Part[]
}

export interface WindowView {
  readonly size: string
  readonly start: number
  readonly aggregates: Readonly<Record<string, unknown>>
}

export interface ViewReader {
  heads(pipeline: string): Promise<readonly SlotHead[]>
  /** By size, then start. */
  windows(pipeline: string, range?: WindowRange): Promise<readonly WindowRef[]>
  parts(pipeline: string, range?: WindowRange): Promise<readonly WindowParts[]>
  read(pipeline: string, windows: readonly WindowRef[]): Promise<readonly WindowParts[]>
  /** The newest `count` windows of each size. */
  latest(pipeline: string, count?: number): Promise<readonly WindowParts[]>
}

/** Part hashes read in one round trip. */
const HASHES_A_TRIP = 500

export const viewReader = (redis: Redis, keys: Keys): ViewReader => {
  const slotsOf = async (pipeline: string) =>
    (await redis.smembers(keys.slots(pipeline))).map(Number).sort((a, b) => a - b)

  const windows = async (pipeline: string, range: WindowRange = {}) => {
    const slots = await slotsOf(pipeline)
    const from = range.from ?? '-inf'
    const to = range.to === undefined ? '+inf' : `(${range.to}`
    const trip = redis.pipeline()
    for (const slot of slots) trip.zrangebyscore(keys.windows(pipeline, slot), from, to)
    const members = (await repliesOf(trip)) as string[][]
    return refsOf(slots, members).filter((ref) => range.size === undefined || ref.size === range.size)
  }

  const read = async (pipeline: string, refs: readonly WindowRef[]): Promise<readonly WindowParts[]> => {
    const wanted = refs.flatMap((ref) => ref.slots.map((slot) => ({ ref, slot })))
    const found = new Map<WindowRef, Part[]>(refs.map((ref) => [ref, []]))
    for (let at = 0; at < wanted.length; at += HASHES_A_TRIP) {
      const some = wanted.slice(at, at + HASHES_A_TRIP)
      const trip = redis.pipeline()
      for (const { ref, slot } of some) trip.hgetall(`${keys.partPrefix(pipeline, slot)}${memberOf(ref)}`)
      const hashes = (await repliesOf(trip)) as Record<string, string>[]
      for (const [index, { ref, slot }] of some.entries())
        found.get(ref)?.push(...partsOf(slot, hashes[index] ?? {}))
    }
    return refs
      .map((ref) => ({ ...ref, parts: found.get(ref) ?? [] }))
      .filter((window) => window.parts.length > 0)
  }

  return {
    windows,
    read,
    parts: async (pipeline, range) => read(pipeline, await windows(pipeline, range)),
    async latest(pipeline, count = 1) {
      const refs = await windows(pipeline)
      const bySize = Map.groupBy(refs, (ref) => ref.size)
      return read(
        pipeline,
        [...bySize.values()].flatMap((sized) => sized.slice(-count)),
      )
    },
    async heads(pipeline) {
      const slots = await slotsOf(pipeline)
      const trip = redis.pipeline()
      for (const slot of slots) trip.hgetall(keys.head(pipeline, slot))
      const heads = (await repliesOf(trip)) as Record<string, string>[]
      return slots.map((slot, index) => headOf(slot, heads[index] ?? {}))
    },
  }
}

const repliesOf = async (trip: ReturnType<Redis['pipeline']>): Promise<readonly unknown[]> =>
  ((await trip.exec()) ?? []).map(([error, reply]) => {
    if (error !== null) throw error
    return reply
  })

const memberOf = (ref: { readonly size: string; readonly start: number }): string =>
  `${ref.size}/${ref.start}`

const refsOf = (slots: readonly number[], members: readonly (readonly string[])[]): readonly WindowRef[] => {
  const byMember = new Map<string, number[]>()
  for (const [index, slot] of slots.entries())
    for (const member of members[index] ?? []) byMember.set(member, [...(byMember.get(member) ?? []), slot])
  return [...byMember]
    .map(([member, owners]) => {
      const [size = '', start] = member.split('/')
      return { size, start: Number(start), slots: owners }
    })
    .sort((a, b) => (a.size === b.size ? a.start - b.start : a.size < b.size ? -1 : 1))
}

const partsOf = (slot: number, hash: Readonly<Record<string, string>>): readonly Part[] =>
  Object.entries(hash).map(([aggregate, text]) => {
    const gap = text.indexOf(' ')
    return { slot, aggregate, offset: Number(text.slice(0, gap)), value: JSON.parse(text.slice(gap + 1)) }
  })

const headOf = (slot: number, hash: Readonly<Record<string, string>>): SlotHead => ({
  slot,
  stateTopicId: hash.topic ?? '',
  epoch: Number(hash.epoch ?? 0),
  watermark: Number(hash.watermark ?? -1),
})

/** @param merge the aggregate's values of all slots, in the order of the slots; undefined leaves the aggregate out */
export const combineWindow = (
  window: WindowParts,
  merge: (aggregate: string, values: readonly unknown[]) => unknown,
): WindowView => {
  const values = Map.groupBy(window.parts, (part) => part.aggregate)
  const aggregates = [...values]
    .map(
      ([name, parts]) =>
        [
          name,
          merge(
            name,
            parts.map((part) => part.value),
          ),
        ] as const,
    )
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return { size: window.size, start: window.start, aggregates: Object.fromEntries(aggregates) }
}
