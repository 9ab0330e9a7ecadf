/**
 * Insights of closed windows, published by the leading coordinator: key = metric + window, the value absolute, so a repeat (by a
 * new leader, or after an unclear send) is harmless.
 *
 * A window is closed when the watermark of every slot has passed its end, and a slot that has never published has passed
 * nothing. The message carries the state offset of each part it is made of; it is sent again when one of them changes
 * (a late record), and not otherwise.
 */
import { type Actor, spawn } from '../cluster/actor/actor.ts'
import type { Cancel, Clock } from '../cluster/actor/clock.ts'
import { messageOf } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import type { SlotHead, ViewReader, WindowParts, WindowRef } from '../cluster/redis/views-read.ts'

export interface Insight {
  readonly key: string
  readonly value: {
    readonly pipeline: string
    readonly metric: string
    /** ISO 8601; `to` is exclusive. */
    readonly from: string
    readonly to: string
    readonly value: unknown
    /** Slot -> state offset of the part. */
    readonly offsets: Readonly<Record<string, number>>
  }
}

/** Metric -> what is shown of it over all slots. */
export type Combine = (window: WindowParts) => Readonly<Record<string, unknown>>

export const closedWindows = (
  heads: readonly SlotHead[],
  slots: number,
  windows: readonly WindowRef[],
): readonly WindowRef[] => {
  if (heads.length < slots) return []
  const passed = Math.min(...heads.map(({ watermark }) => watermark))
  return windows.filter(({ size, start }) => size !== 'total' && start + Number(size) <= passed)
}

export const insightsOf = (pipeline: string, window: WindowParts, combine: Combine): readonly Insight[] => {
  const iso = (ms: number) => new Date(ms).toISOString()
  return Object.entries(combine(window)).map(([metric, value]) => {
    const parts = window.parts.filter(({ aggregate }) => aggregate === metric)
    const offsets = Object.fromEntries(parts.map(({ slot, offset }) => [slot, offset]))
    const [from, to] = [iso(window.start), iso(window.start + Number(window.size))]
    const key = `${metric}/${window.size}/${window.start}`
    return { key, value: { pipeline, metric, from, to, value, offsets } }
  })
}

export interface InsightsOptions {
  readonly clock: Clock
  readonly events: EventBus
  readonly reader: ViewReader
  readonly leads: () => boolean
  /** Pipelines and their slots. */
  readonly pipelines: () => readonly { readonly pipeline: string; readonly slots: number }[]
  /** Undefined for a pipeline whose module is not known here. */
  readonly combineFor: (pipeline: string) => Promise<Combine | undefined>
  readonly send: (pipeline: string, insights: readonly Insight[]) => Promise<void>
}

const ROUND_MS = 2000
/** Older windows change only by late records: they are looked at in every n-th round. */
const ALL_EVERY = 15
const NEWEST = 2

export const publishInsights = (options: InsightsOptions): Actor<'round'> => {
  const sent = new Map<string, string>()
  let rounds = 0
  let told = ''
  let cancel: Cancel = () => {}

  const publish = async (pipeline: string, slots: number, all: boolean) => {
    const combine = await options.combineFor(pipeline)
    if (combine === undefined) return
    const [heads, windows] = [await options.reader.heads(pipeline), await options.reader.windows(pipeline)]
    const bySize = Map.groupBy(closedWindows(heads, slots, windows), ({ size }) => size)
    const wanted = [...bySize.values()].flatMap((closed) => (all ? closed : closed.slice(-NEWEST)))
    const found = await options.reader.read(pipeline, wanted)
    const changed = found
      .flatMap((window) => insightsOf(pipeline, window, combine))
      .filter((insight) => sent.get(`${pipeline} ${insight.key}`) !== JSON.stringify(insight.value.offsets))
    if (changed.length === 0 || !options.leads()) return
    await options.send(pipeline, changed)
    for (const { key, value } of changed) sent.set(`${pipeline} ${key}`, JSON.stringify(value.offsets))
  }

  const round = async () => {
    if (!options.leads()) return sent.clear()
    const all = rounds % ALL_EVERY === 0
    rounds += 1
    for (const { pipeline, slots } of options.pipelines()) await publish(pipeline, slots, all)
  }

  const actor = spawn<'round'>({
    name: 'insights',
    receive: async (_, self) => {
      await round().catch((error: unknown) => {
        // Redis or Kafka is away: what was not sent is sent at a later round.
        const detail = messageOf(error)
        if (detail === told) return
        told = detail
        options.events.emit('waiting', { for: 'the insights of closed windows', detail })
      })
      cancel = options.clock.after(ROUND_MS, () => self.tell('round'))
    },
    onStop: () => cancel(),
  })
  actor.tell('round')
  return actor
}
