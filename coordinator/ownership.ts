/**
 * From target to plan, in two phases. Pure: (plan, target, who lives and what they report) -> the next plan, or none.
 *
 *   owned by A --(wanted elsewhere, epoch e)--> nobody's, A releasing since e --(A has let go)--> owned by B
 *   owned by A --(A's lease has ended)--> owned by B
 *
 * A has let go when its report shows that it applied an epoch >= e and no longer holds the slot, or that it leaves and
 * does not hold it, or when its lease has ended. So a worker owns exactly what the newest plan says, and no order can
 * give a slot to two. (Were a lease judged wrongly: fencing makes the effects of two right, see protocol P2.)
 *
 * A fenced shard owns again only by a newer plan: where its owner reports it fenced under this one, the same owners are
 * written again under the next epoch. So they are where another protocol version is the newest that all speak.
 */
import { commonVersion, type Protocol } from '../cluster/protocol/negotiation.ts'
import type { PlanRecord, Standing, WorkerReport } from '../cluster/protocol/plan.ts'
import type { Owners } from './plan.ts'

export interface OwnershipInput {
  readonly pipeline: string
  readonly plan: PlanRecord | undefined
  readonly target: Owners
  readonly orders: Standing
  /** Whoever is not here is dead: the caller has waited as P6 demands. */
  readonly live: readonly WorkerReport[]
  readonly leader: string
  /** The next epoch lies above it, whatever the plan says. */
  readonly seenEpoch: number
  /** What this leader speaks. */
  readonly protocol?: Protocol | undefined
}

type Releasing = Readonly<Record<string, { readonly worker: string; readonly since: number }>>

interface Slot {
  readonly owner: string | null
  readonly releasing: Releasing[string] | undefined
}

export const nextRecord = (input: OwnershipInput): PlanRecord | undefined => {
  const { plan, target, pipeline, leader, orders } = input
  const epoch = Math.max(plan?.epoch ?? 0, input.seenEpoch) + 1
  const version = commonVersion(input.live, input.protocol)
  const reports = new Map(input.live.map((report) => [report.worker, report]))
  const sameLayout = plan?.slots === target.length
  const before = target.map(
    (_, slot): Slot => ({
      owner: (sameLayout && plan.owners[slot]) || null,
      releasing: sameLayout ? plan.releasing?.[slot] : undefined,
    }),
  )
  const after = before.map((slot, index) => nextSlot(slot, index, target[index] ?? null, reports, epoch))
  const ordered = orders.seen > (plan?.orders?.seen ?? 0)
  const changed = ordered || after.some((slot, index) => !isSame(slot, before[index]))
  // A plan below what was applied is an old one that stands in the log again: nobody follows it.
  const counts = sameLayout && plan.epoch >= input.seenEpoch
  if (counts && !changed && plan.version === version && !someFenced(plan, reports)) return undefined
  const releasing = Object.fromEntries(
    after.flatMap((slot, index) => (slot.releasing === undefined ? [] : [[index, slot.releasing]])),
  )
  const owners = after.map((slot) => slot.owner)
  const slots = target.length
  const record = { version, pipeline, epoch, slots, owners, releasing, leader }
  return orders.seen === 0 ? record : { ...record, orders }
}

const nextSlot = (
  { owner, releasing }: Slot,
  slot: number,
  wanted: string | null,
  reports: ReadonlyMap<string, WorkerReport>,
  epoch: number,
): Slot => {
  if (owner !== null) {
    if (owner === wanted) return { owner, releasing: undefined }
    const report = reports.get(owner)
    if (report === undefined) return { owner: wanted, releasing: undefined }
    return { owner: null, releasing: { worker: owner, since: epoch } }
  }
  if (releasing === undefined || releasing.worker === wanted) return { owner: wanted, releasing: undefined }
  const report = reports.get(releasing.worker)
  if (report === undefined || hasLetGo(report, slot, releasing.since))
    return { owner: wanted, releasing: undefined }
  return { owner: null, releasing }
}

/** A worker that leaves claims nothing any more, whatever it applied. */
const hasLetGo = (report: WorkerReport, slot: number, since: number): boolean =>
  !report.owned.some((owned) => owned.slot === slot) && (report.appliedEpoch >= since || report.draining)

const isSame = (a: Slot, b: Slot | undefined): boolean =>
  a.owner === b?.owner &&
  a.releasing?.worker === b.releasing?.worker &&
  a.releasing?.since === b.releasing?.since

const someFenced = (plan: PlanRecord, reports: ReadonlyMap<string, WorkerReport>): boolean =>
  plan.owners.some((owner, slot) => {
    const report = owner === null ? undefined : reports.get(owner)
    if (report === undefined || report.appliedEpoch < plan.epoch) return false
    return report.owned.some((owned) => owned.slot === slot && owned.state === 'fenced')
  })
