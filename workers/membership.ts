/**
 * A worker's place in the cluster: an actor that registers it and renews its lease with its report once a second.
 * Redis away changes nothing here but that it tries again; the plan is followed in Kafka, not in Redis.
 *
 * `mayFence` is asked before anything that fences another owner. It is true while the lease is trusted, or while Redis was
 * just found to be away (work goes on without it). It is false after the process stood still for longer than its lease,
 * until a renewal has succeeded or failed: then somebody else may own its slots, and the newest plan has to be read first.
 */
import { type Actor, spawn } from '../cluster/actor/actor.ts'
import type { Cancel, Clock } from '../cluster/actor/clock.ts'
import { messageOf } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import type { WorkerReport } from '../cluster/protocol/plan.ts'
import { trustedUntil } from '../cluster/redis/lease.ts'
import type { Workers } from '../cluster/redis/workers.ts'

export interface MembershipOptions {
  readonly workers: Workers
  readonly clock: Clock
  readonly events: EventBus
  readonly leaseMs: number
  readonly report: () => WorkerReport
}

export interface Membership {
  leaseFresh(): boolean
  mayFence(): boolean
  /** Resolves when the first report is in Redis, or Redis did not take it. */
  readonly registered: Promise<void>
  /** Report now: something changed that others wait for. */
  tell(): void
  /** Leaves: others need not wait for the lease to end. */
  stop(): Promise<void>
  readonly stopped: Actor<unknown>['stopped']
}

const REPORT_MS = 1000

export const joinCluster = (options: MembershipOptions): Membership => {
  const { workers, clock, events, leaseMs, report } = options
  const interval = Math.min(REPORT_MS, leaseMs / 5)
  let trusted = Number.NEGATIVE_INFINITY
  let away = Number.NEGATIVE_INFINITY
  let told = ''
  let cancel: Cancel = () => {}
  const registered = Promise.withResolvers<void>()

  const renew = async () => {
    const sentAt = clock.now()
    try {
      await workers.renew(report(), leaseMs)
      trusted = trustedUntil(sentAt, leaseMs)
      told = ''
    } catch (error) {
      away = trustedUntil(sentAt, leaseMs)
      const detail = messageOf(error)
      if (detail !== told) events.emit('waiting', { for: 'Redis, to renew the lease', detail })
      told = detail
    }
  }

  const actor = spawn<'renew'>({
    name: 'membership',
    receive: async (_, self) => {
      cancel()
      await renew()
      registered.resolve()
      cancel = clock.after(interval, () => self.tell('renew'))
    },
    onStop: async () => {
      cancel()
      trusted = Number.NEGATIVE_INFINITY
      // Redis away: the lease ends by itself.
      await workers.leave(report().worker).catch(() => undefined)
    },
  })
  actor.tell('renew')
  const leaseFresh = () => clock.now() < trusted
  return {
    leaseFresh,
    registered: registered.promise,
    mayFence: () => leaseFresh() || clock.now() < away,
    tell: () => actor.tell('renew'),
    stop: () => actor.stop(),
    stopped: actor.stopped,
  }
}
