/**
 * The coordinator: an actor that wakes twice a second, renews or seeks leadership, looks who lives, and writes the next
 * plan of every pipeline where there is one (pipeline-plan.ts decides, plan-log.ts of cluster/kafka writes).
 * It serves all pipelines that have registered workers or a plan. While it stands by it only follows the plan log.
 *
 * Nothing here is needed for right results: without a coordinator workers go on with what they own.
 */
import { type Actor, spawn } from '../cluster/actor/actor.ts'
import type { Cancel } from '../cluster/actor/clock.ts'
import { type CoordinatorOptions, type CoordinatorStatus, Rounds } from './rounds.ts'

export type { CoordinatorOptions, CoordinatorStatus }

export interface Coordinator {
  status(): CoordinatorStatus
  /** Asked before anything that would fence another leader. */
  leads(): boolean
  /** Gives leadership back. */
  stop(): Promise<void>
  readonly stopped: Actor<'round'>['stopped']
}

const ROUND_MS = 500

export const startCoordinator = (options: CoordinatorOptions): Coordinator => {
  const { clock, leaseMs } = options
  const rounds = new Rounds(options)
  let cancel: Cancel = () => {}
  const actor = spawn<'round'>({
    name: 'coordinator',
    receive: async (_, self) => {
      await rounds.run()
      cancel = clock.after(Math.min(ROUND_MS, leaseMs / 10), () => self.tell('round'))
    },
    onStop: async () => {
      cancel()
      await rounds.end()
    },
  })
  actor.tell('round')
  return {
    status: () => rounds.status(),
    leads: () => rounds.leads(),
    stop: () => actor.stop(),
    stopped: actor.stopped,
  }
}
