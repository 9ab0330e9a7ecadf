/** Of which aggregates the recount is known to be whole, slot by slot, and why it is not. Pure. */
import { slotOf } from '../cluster/protocol/names.ts'
import type { Position } from '../cluster/protocol/state.ts'
import { type Aggregates, definitionHash } from '../pipelines/api/aggregates.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import type { Fate } from './fate-book.ts'
import { type Ground, isCompacted } from './ground.ts'
import { isOfErrors, type Recount } from './recount.ts'
import type { Rerun } from './rerun.ts'
import type { ScanTally } from './visits.ts'

export interface Proof {
  readonly pipeline: AnyPipeline
  readonly ground: Ground
  readonly tally: ScanTally
  readonly recount: Recount
  /** Where there are no outputs: the done records run again, or why they could not be. */
  readonly rerun: Rerun | string | undefined
}

/** Aggregates of which nothing tells what they must be, in whatever slot. */
export const doubtsOf = ({ pipeline, ground, recount }: Proof, aggregates: Aggregates) => {
  const stored = [...ground.begin.windows.values()].flat()
  const changed = Object.entries(aggregates)
    .filter(([name, one]) => {
      const hash = definitionHash(one)
      return stored.some(({ aggregate, state }) => aggregate === name && state.hash !== hash)
    })
    .map(([name]) => name)
  const stamped = ground.configs.output?.['message.timestamp.type'] === 'LogAppendTime'
  const untimed =
    stamped && pipeline.eventTime === undefined
      ? Object.entries(aggregates)
          .filter(([, { span }]) => span === 'window')
          .map(([name]) => name)
      : []
  const unclear = [...recount.unclear].filter((name) => !changed.includes(name))
  const reasons = [
    ...changed.map((name) => `aggregate ${name}: it was counted under another definition`),
    ...untimed.map((name) => `aggregate ${name}: the output topic has the time of writing, not of the event`),
    ...unclear.map(
      (name) => `aggregate ${name}: it was redefined while records waited that have been retried since`,
    ),
  ]
  return { except: new Set([...changed, ...untimed, ...unclear]), reasons }
}

/** Aggregates that cannot be recounted in that slot. */
export const unprovenIn = (proof: Proof, aggregates: Aggregates, slot: number): ReadonlySet<string> => {
  const names = Object.keys(aggregates)
  const ofErrors = (name: string) => isOfErrors(aggregates[name])
  return new Set([
    ...(isDoneTold(proof, slot) ? [] : names.filter((name) => !ofErrors(name))),
    ...(isDeadTold(proof, slot) ? [] : names.filter(ofErrors)),
  ])
}

/** The outputs of all its partitions are there, back to their first positions; or all their done records. */
const isDoneTold = (proof: Proof, slot: number): boolean => {
  const { ground, rerun } = proof
  const { outputs, configs } = ground
  if (outputs === undefined) return typeof rerun === 'object' && isRerunWhole(proof, rerun, slot)
  if (isCompacted(configs.output)) return false
  return !outputs.horizon.moved || areAllSeen(proof, slot, 'output', ({ counters }) => counters.done)
}

const isRerunWhole = (proof: Proof, { counts }: Rerun, slot: number): boolean => {
  const { ground, tally } = proof
  const ran = partitionsOf(ground, slot).every(
    ([partition]) => (counts.get(partition) ?? 0) >= (tally.books.get(partition)?.seen('output') ?? 0),
  )
  const isMoved = ground.drops.horizon.moved
  return ran && (!isMoved || areAllSeen(proof, slot, 'output', ({ counters }) => counters.done))
}

const isDeadTold = (proof: Proof, slot: number): boolean =>
  !proof.ground.letters.horizon.moved || areAllSeen(proof, slot, 'dead', ({ counters }) => counters.dead)

const areAllSeen = (proof: Proof, slot: number, fate: Fate, counted: (position: Position) => number) =>
  partitionsOf(proof.ground, slot).every(
    ([partition, position]) => (proof.tally.books.get(partition)?.seen(fate) ?? 0) >= counted(position),
  )

const partitionsOf = ({ begin, slots }: Ground, slot: number): readonly (readonly [number, Position])[] =>
  [...begin.positions].filter(([partition]) => slotOf(partition, slots) === slot)

export interface UnprovenSlot {
  readonly slot: number
  readonly unproven: ReadonlySet<string>
}

export const whyUnproven = (
  proof: Proof,
  aggregates: Aggregates,
  slots: readonly UnprovenSlot[],
): readonly string[] => {
  const { letters } = proof.ground
  const slotsOf = (wanted: (name: string) => boolean) =>
    slots.filter(({ unproven }) => [...unproven].some(wanted)).map(({ slot }) => slot)
  const done = slotsOf((name) => !isOfErrors(aggregates[name]))
  const dead = slotsOf((name) => isOfErrors(aggregates[name]))
  const errors = Object.keys(aggregates).filter((name) => isOfErrors(aggregates[name]))
  return [
    ...(done.length === 0 ? [] : [whyNotDone(proof, done)]),
    ...(dead.length === 0
      ? []
      : errors.map(
          (name) =>
            `aggregate ${name} of slots ${dead.join(', ')}: the oldest dead letters are gone from ${letters.topic}`,
        )),
  ]
}

const whyNotDone = ({ ground, rerun }: Proof, slots: readonly number[]): string => {
  const { outputs, drops, configs } = ground
  if (outputs === undefined)
    return typeof rerun === 'string'
      ? `the recount: ${rerun}`
      : `the recount of slots ${slots.join(', ')}: done records are gone from the input, or cannot be read, or are not told any more in ${drops.topic}`
  if (isCompacted(configs.output)) return `the recount: ${outputs.topic} is compacted`
  return `the recount of slots ${slots.join(', ')}: the oldest outputs are gone from ${outputs.topic}`
}
