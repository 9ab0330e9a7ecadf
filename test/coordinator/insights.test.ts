import { describe, expect, test } from 'vitest'
import { EventBus } from '../../cluster/events.ts'
import type { SlotHead, ViewReader, WindowParts } from '../../cluster/redis/views-read.ts'
import { closedWindows, type Insight, publishInsights } from '../../coordinator/insights.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const HOUR = 3_600_000
const head = (slot: number, watermark: number): SlotHead => ({ slot, stateTopicId: 't', epoch: 1, watermark })
const window = (hour: number, offsets: readonly number[]): WindowParts => ({
  size: String(HOUR),
  start: hour * HOUR,
  slots: offsets.map((_, slot) => slot),
  parts: offsets.map((offset, slot) => ({ slot, aggregate: 'logins', offset, value: offset })),
})

describe('closed windows', () => {
  const refs = [window(9, [1]), window(10, [1]), { ...window(0, [1]), size: 'total' }]

  test('are those whose end every slot has passed', () => {
    const starts = (heads: readonly SlotHead[]) =>
      closedWindows(heads, 2, refs).map(({ start }) => start / HOUR)
    expect(starts([head(0, 11 * HOUR), head(1, 10 * HOUR)])).toEqual([9])
    expect(starts([head(0, 12 * HOUR), head(1, 11 * HOUR)])).toEqual([9, 10])
    expect(starts([head(0, 12 * HOUR), head(1, 10 * HOUR - 1)])).toEqual([])
  })

  test('are none while a slot has never published', () => {
    expect(closedWindows([head(0, 99 * HOUR)], 2, refs)).toEqual([])
  })
})

describe('insights of closed windows', () => {
  const rig = () => {
    const clock = virtualClock()
    const state = {
      leads: true,
      heads: [head(0, 10 * HOUR), head(1, 10 * HOUR)],
      windows: [window(9, [5, 6])],
      fails: false,
    }
    const sent: Insight[] = []
    const reader: ViewReader = {
      heads: async () => state.heads,
      windows: async () => state.windows,
      parts: async () => state.windows,
      latest: async () => state.windows,
      read: async (_, refs) => state.windows.filter(({ start }) => refs.some((ref) => ref.start === start)),
    }
    const actor = publishInsights({
      clock,
      events: new EventBus(),
      reader,
      leads: () => state.leads,
      pipelines: () => [
        { pipeline: 'p', slots: 2 },
        { pipeline: 'unknown', slots: 1 },
      ],
      combineFor: async (pipeline) =>
        pipeline === 'p'
          ? ({ parts }) => ({ logins: parts.reduce((sum, { offset }) => sum + offset, 0) })
          : undefined,
      send: async (_, insights) => {
        if (state.fails) throw new Error('Kafka is away')
        sent.push(...insights)
      },
    })
    return { clock, state, sent, actor }
  }

  test('are sent once, with the state offsets they are made of', async () => {
    const { clock, sent, actor } = rig()
    await clock.advance(60_000)
    expect(sent).toEqual([
      {
        key: `logins/${HOUR}/${9 * HOUR}`,
        value: {
          pipeline: 'p',
          metric: 'logins',
          from: '1970-01-01T09:00:00.000Z',
          to: '1970-01-01T10:00:00.000Z',
          value: 11,
          offsets: { 0: 5, 1: 6 },
        },
      },
    ])
    await actor.stop()
  })

  test('are sent again when a part has changed, also that of an old window', async () => {
    const { clock, state, sent, actor } = rig()
    state.heads = [head(0, 20 * HOUR), head(1, 20 * HOUR)]
    state.windows = [9, 10, 11, 12].map((hour) => window(hour, [5, 6]))
    await clock.advance(3000)
    expect(sent).toHaveLength(4)
    state.windows = [window(9, [5, 7]), ...state.windows.slice(1)]
    await clock.advance(60_000)
    expect(sent.slice(4).map(({ value }) => [value.from, value.value])).toEqual([
      ['1970-01-01T09:00:00.000Z', 12],
    ])
    await actor.stop()
  })

  test('are sent by the leader only, and anew by a new one', async () => {
    const { clock, state, sent, actor } = rig()
    state.leads = false
    await clock.advance(10_000)
    expect(sent).toEqual([])
    state.leads = true
    await clock.advance(3000)
    state.leads = false
    await clock.advance(3000)
    state.leads = true
    await clock.advance(3000)
    expect(sent).toHaveLength(2)
    await actor.stop()
  })

  test('what could not be sent is sent later', async () => {
    const { clock, state, sent, actor } = rig()
    state.fails = true
    await clock.advance(10_000)
    state.fails = false
    await clock.advance(60_000)
    expect(sent).toHaveLength(1)
    await actor.stop()
  })
})
