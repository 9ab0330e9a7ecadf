/**
 * Insights by count against the state: each batch of a slot was published once, numbered without a gap, and the records of
 * its batches with those of the unfilled one are the done records of the slot. Pure.
 */
import { slotOf } from '../cluster/protocol/names.ts'
import type { InsightsState } from '../cluster/protocol/state.ts'
import type { BatchTally, SaidBatch } from './batch-tally.ts'
import type { Ground } from './ground.ts'
import type { InsightsMismatch } from './mismatch.ts'

export interface InsightsVerdict {
  readonly mismatches: readonly InsightsMismatch[]
  readonly notProvable: readonly string[]
}

/** Of a slot that never published. */
const NOTHING: InsightsState = { records: 0, published: 0, total: 0, since: 0, values: {} }

export const compareInsights = (ground: Ground, tally: BatchTally): InsightsVerdict => {
  if (ground.insights === undefined) return { mismatches: [], notProvable: [] }
  const { log, covered } = ground.insights
  const moved = [...log.starts.values()].some((start) => start > 0)
  const slots = new Set([...ground.begin.insights.keys(), ...tally.slots()])
  const verdicts = [...slots]
    .sort((a, b) => a - b)
    .map((slot) => {
      const batches = tally.batches(slot)
      const state = ground.begin.insights.get(slot) ?? NOTHING
      const first = moved ? Math.min(state.published, ...batches.keys()) : 0
      const limit = covered.get(slot)?.published ?? state.published
      return {
        slot,
        gone: first > 0,
        mismatches: compareSlot({ ground, slot, batches, state, first, limit }),
      }
    })
  const gone = verdicts.filter((verdict) => verdict.gone).map(({ slot }) => slot)
  return {
    mismatches: verdicts.flatMap(({ mismatches }) => mismatches),
    notProvable:
      gone.length === 0
        ? []
        : [`insights of slots ${gone.join(', ')}: the oldest are gone from ${log.topic}`],
  }
}

interface Compared {
  readonly ground: Ground
  readonly slot: number
  readonly batches: ReadonlyMap<number, SaidBatch>
  readonly state: InsightsState
  /** The first batch that is left in the topic. */
  readonly first: number
  /** Batches from there on nobody had published when the audit looked. */
  readonly limit: number
}

const compareSlot = (compared: Compared): InsightsMismatch[] => {
  const { slot } = compared
  const wrong = [...missing(compared), ...surplus(compared)]
  // Where batches are missing or doubled, their sum says nothing new.
  const sums = wrong.length > 0 ? [] : recordsOf(compared)
  return [...wrong, ...sums, ...doneOf(compared)].map((one) => ({ where: 'insights', slot, ...one }))
}

type Finding = Omit<InsightsMismatch, 'where' | 'slot'>

/** Neighbours are one finding. */
const missing = ({ batches, state, first }: Compared): Finding[] => {
  const found: Finding[] = []
  for (let from = first; from < state.published; from++) {
    if (batches.has(from)) continue
    let to = from
    while (to + 1 < state.published && !batches.has(to + 1)) to++
    found.push({
      of: from === to ? `batch ${from}` : `batches ${from}-${to}`,
      expected: to - from + 1,
      found: 0,
    })
    from = to
  }
  return found
}

const surplus = ({ batches, limit }: Compared): Finding[] =>
  [...batches].flatMap(([number, { times }]) => {
    const expected = number < limit ? 1 : 0
    return times === expected ? [] : [{ of: `batch ${number}`, expected, found: times }]
  })

const recordsOf = ({ batches, state, first }: Compared): Finding[] => {
  if (first > 0) return []
  const said = [...batches].filter(([number]) => number < state.published)
  const sum = said.reduce((total, [, { records }]) => total + records, state.records)
  return sum === state.total ? [] : [{ of: 'records of the batches', expected: state.total, found: sum }]
}

const doneOf = ({ ground, slot, state }: Compared): Finding[] => {
  if (state === NOTHING) return []
  const done = [...ground.begin.positions]
    .filter(([partition]) => slotOf(partition, ground.slots) === slot)
    .reduce((sum, [, { counters }]) => sum + counters.done, 0)
  const found = state.since + state.total
  return done === found ? [] : [{ of: 'done records', expected: done, found }]
}
