/**
 * Views of the aggregates (protocol P5): each slot's parts, nothing combined, nothing that Kafka does not hold.
 * One hash per (pipeline, slot, window), a field per aggregate: `<state offset> <JSON>`.
 *
 * Which part is newer:
 * - of one state topic, the one whose record has the higher state offset; an older one is refused;
 * - of two state topics (topic ids have no order), the one published under the higher plan epoch: it replaces all
 *   parts of the slot, and the other is told `older` from then on. Epochs only grow while either Kafka's cluster topic or
 *   these heads survive, because a leader that finds no plan starts above the heads' epochs.
 *
 * A window that begins before the slot's floor is refused and deleted; a time to live per part is the backstop where
 * nobody publishes any more.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { messageOf } from '../errors.ts'
import type { Keys } from './keys.ts'
import { runScript, scripts } from './scripts.ts'

export interface ViewSource {
  readonly pipeline: string
  readonly slot: number
  readonly stateTopicId: string
  /** Plan epoch of the claim. */
  readonly epoch: number
}

/** One aggregate in one window; `size` and `start` as in the state topic's key. */
export interface ViewWindow {
  readonly aggregate: string
  readonly size: string
  readonly start: number
  /** State offset of the record that holds `value`. */
  readonly offset: number
  readonly value: unknown
  /** Backstop; 0 keeps it for ever. */
  readonly lifeMs: number
}

export interface Publication {
  readonly windows: readonly ViewWindow[]
  /** The slot's: the lowest of its partitions'. It becomes visible with the last window, never before one. */
  readonly watermark: number
  /** Size -> start of the first window that stays. */
  readonly floors: Readonly<Record<string, number>>
  /** Everything the state holds: at a takeover, and after `wiped`. */
  readonly full: boolean
}

export type Published =
  | { readonly result: 'published'; readonly accepted: number; readonly refused: number }
  /** Redis was emptied or set back: publish in full. */
  | { readonly result: 'wiped' }
  /** A newer claim with another state topic has published. */
  | { readonly result: 'older' }
  | { readonly result: 'away'; readonly reason: string }

export interface ViewPublisher {
  /** Idempotent; never rejects. */
  publish(publication: Publication): Promise<Published>
}

const WINDOWS_A_CALL = 200

export const viewPublisher = (redis: Redis, keys: Keys, source: ViewSource): ViewPublisher => {
  let generation = ''
  let highest = -1

  const publishAll = async (publication: Publication): Promise<Published> => {
    let known = publication.full ? '*' : generation
    let accepted = 0
    let refused = 0
    const calls = Math.max(1, Math.ceil(publication.windows.length / WINDOWS_A_CALL))
    for (let call = 0; call < calls; call++) {
      const windows = publication.windows.slice(call * WINDOWS_A_CALL, (call + 1) * WINDOWS_A_CALL)
      const watermark = call === calls - 1 ? publication.watermark : ''
      const before = known === '*' ? -1 : highest
      const args = argsOf(keys, source, { ...publication, windows, known, before, watermark })
      const reply = (await runScript(redis, scripts.viewsPublish, keysFor(keys, source), args)) as unknown[]
      if (reply[0] !== 'published') return { result: reply[0] === 'older' ? 'older' : 'wiped' }
      known = String(reply[1])
      accepted += Number(reply[2])
      refused += Number(reply[3])
      highest = Number(reply[4])
    }
    generation = known
    return { result: 'published', accepted, refused }
  }

  return {
    async publish(publication) {
      try {
        const published = await publishAll(publication)
        // Only a full publication mends it, however many others follow.
        if (published.result === 'wiped') generation = ''
        return published
      } catch (error) {
        return { result: 'away', reason: messageOf(error) }
      }
    },
  }
}

const keysFor = (keys: Keys, { pipeline, slot }: ViewSource): readonly string[] => [
  keys.generation,
  keys.head(pipeline, slot),
  keys.windows(pipeline, slot),
  keys.slots(pipeline),
]

interface Call {
  readonly windows: readonly ViewWindow[]
  readonly floors: Readonly<Record<string, number>>
  readonly known: string
  readonly before: number
  readonly watermark: number | ''
}

const argsOf = (keys: Keys, source: ViewSource, call: Call): readonly (string | number)[] => {
  const floors = Object.entries(call.floors)
  return [
    call.known,
    randomUUID(),
    source.slot,
    keys.partPrefix(source.pipeline, source.slot),
    source.stateTopicId,
    source.epoch,
    call.before,
    call.watermark,
    floors.length,
    ...floors.flat(),
    ...call.windows.flatMap((window) => [
      window.aggregate,
      window.size,
      window.start,
      window.offset,
      window.lifeMs,
      JSON.stringify(window.value),
    ]),
  ]
}
