/** A short run of the pipeline without outputs, with every fate in it and insights by count. */
import { stateKey } from '../../cluster/protocol/state.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import type { SharedServices } from '../support/services.ts'
import { type Became, Made } from './made.ts'
import { pipeline } from './silent-pipeline.ts'
import { HOUR } from './story.ts'

const asked: readonly (readonly [kind: string, minute: number])[] = [
  ['a', 0],
  ['dead', 0],
  ['b', 0],
  ['drop', 0],
  ['a', 1],
  ['c', -60],
  ['a', 2],
  ['b', 2],
]
/** Its record came when its minute was closed. */
const LATE = 5

const became = ([kind, minute]: readonly [string, number], at: number): Became => {
  if (kind === 'dead' || kind === 'drop') return kind
  const value = { at: HOUR + minute * 60_000, kind: `${kind}!` }
  return at === LATE ? { value, late: ['kinds'] } : { value }
}

/** Six done records, of which two batches are told and two wait. */
export const waiting = { records: 2, published: 2, total: 6, since: 0, values: {} }

export const COUNTERS = { done: 6, dead: 1, dropped: 1, late: 1, parked: 0 }

/** One partition on which everything went right. */
export const honest = async (services: SharedServices, one: AnyPipeline = pipeline): Promise<Made> => {
  const made = await Made.open(services, one)
  const values = asked.map(([kind, minute]) => ({ kind, at: HOUR + minute * 60_000 }))
  await made.work(0, await made.askFor(0, values), asked.map(became))
  await made.state(0, stateKey.insights, waiting)
  for (const number of [0, 1]) await made.say({ slot: 0, number, records: 2 }, { at: 1000 + number })
  return made
}
