/**
 * Follows the plan log for one pipeline and applies the newest plan. An epoch that is not above the last is ignored: a
 * repeated, late or forged plan moves nothing. While one is being applied only the newest of the later ones waits. Of one that
 * cannot be read, or that is for another number of slots, only the epoch counts: what is owned stays owned until a newer one.
 *
 * `last` is the plan that the supervisor kept: a restarted worker resumes its slots with it, before Kafka's log is read and
 * without Redis (fencing makes that safe where the plan is out of date).
 */
import { type Actor, spawn } from '../cluster/actor/actor.ts'
import { isReadable, PROTOCOL, type Protocol } from '../cluster/protocol/negotiation.ts'
import type { Order } from '../cluster/protocol/orders.ts'
import { isUnread, type PlanRecord, type UnreadPlan } from '../cluster/protocol/plan.ts'
import type { PlanSource } from '../cluster/protocol/plan-log.ts'

export interface FollowOptions {
  readonly source: PlanSource
  readonly pipeline: string
  readonly worker: string
  /** Of the pipeline. */
  readonly slots: number
  /** The worker owns exactly these slots now, and leaves those partitions unread. Resolves when what was taken away is released. */
  readonly apply: (epoch: number, slots: readonly number[], paused: readonly number[]) => Promise<void>
  /** A plan was taken up, before it is applied: the supervisor keeps it. */
  readonly keep?: (plan: PlanRecord) => void
  /** A plan is applied wholly. */
  readonly applied?: (plan: PlanRecord) => void
  /** Told of each order for this pipeline, perhaps more than once. */
  readonly ordered?: (order: Order) => void
  readonly last?: PlanRecord | undefined
  /** One line for each plan that is refused. */
  readonly notice?: (line: string) => void
  /** What the worker speaks; absent: what this build does. */
  readonly protocol?: Protocol
  readonly onFailure?: (error: unknown) => void
}

export interface PlanFollower {
  /** Highest epoch that is applied wholly; 0 before the first. */
  appliedEpoch(): number
  /** Protocol version of the newest plan that was taken up; the oldest that is spoken before the first. */
  version(): number
  stop(): Promise<void>
  readonly stopped: Actor<unknown>['stopped']
}

export const followPlan = (options: FollowOptions): PlanFollower => {
  const { source, pipeline, apply, keep, applied, ordered, last, onFailure, protocol = PROTOCOL } = options
  let appliedEpoch = 0
  let seenEpoch = 0
  let version = protocol.oldest
  let newest: PlanRecord | undefined

  const actor = spawn<'newer'>({
    name: 'plan-follower',
    receive: async () => {
      const plan = newest
      if (plan === undefined || plan.epoch <= appliedEpoch) return
      keep?.(plan)
      await apply(plan.epoch, slotsOf(plan, options.worker), plan.orders?.paused ?? [])
      appliedEpoch = plan.epoch
      applied?.(plan)
    },
    onStop: () => unfollow(),
    ...(onFailure && { onFailure }),
  })
  const learn = (plan: PlanRecord | UnreadPlan) => {
    if (plan.pipeline !== pipeline || plan.epoch <= seenEpoch) return
    seenEpoch = plan.epoch
    newest = isFor(plan, options) ? plan : undefined
    version = newest?.version ?? version
    actor.tell('newer')
  }
  if (last !== undefined && isReadable(last.version, protocol)) learn(last)
  const unfollow = source.follow(learn, (order) => {
    if (order.pipeline === pipeline) ordered?.(order)
  })
  return {
    appliedEpoch: () => appliedEpoch,
    version: () => version,
    stop: () => actor.stop(),
    stopped: actor.stopped,
  }
}

/** Why one cannot be read is told by its source. */
const isFor = (
  plan: PlanRecord | UnreadPlan,
  { slots, notice }: Pick<FollowOptions, 'slots' | 'notice'>,
): plan is PlanRecord => {
  if (isUnread(plan)) return false
  if (plan.slots === slots) return true
  const { pipeline, epoch } = plan
  notice?.(
    `plan ${epoch} of ${pipeline} is for ${plan.slots} slots, and it has ${slots}: what is owned stays`,
  )
  return false
}

const slotsOf = (plan: PlanRecord, worker: string): readonly number[] =>
  plan.owners.flatMap((owner, slot) => (owner === worker ? [slot] : []))
