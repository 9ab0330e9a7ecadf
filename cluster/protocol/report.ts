/** Checks of what other processes wrote: a text that is malformed or of a version not read here is undefined, never an exception. */
import { isReadable, PROTOCOL, type Protocol } from './negotiation.ts'
import type { PlanRecord, SlotReport, UnreadPlan, WorkerReport } from './plan.ts'

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null ? { ...value } : undefined

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isMeasure = (value: unknown): value is number => typeof value === 'number' && value >= 0
/** More than any state topic has partitions: whoever says more is not believed. */
const MOST_SLOTS = 100_000

const isReport = (value: unknown, protocol: Protocol): value is WorkerReport => {
  const report = fieldsOf(value)
  return (
    report !== undefined &&
    isReadable(report.version, protocol) &&
    (report.speaks === undefined || isCount(report.speaks)) &&
    isText(report.worker) &&
    isText(report.pipeline) &&
    isCount(report.slots) &&
    report.slots <= MOST_SLOTS &&
    isMeasure(report.startedAt) &&
    isCount(report.appliedEpoch) &&
    typeof report.draining === 'boolean' &&
    ['undefined', 'boolean'].includes(typeof report.kafkaAway) &&
    (report.capacity === undefined || isMeasure(report.capacity)) &&
    (report.writes === undefined || (Array.isArray(report.writes) && report.writes.every(isText))) &&
    Array.isArray(report.owned) &&
    report.owned.every(isSlotReport)
  )
}

const isSlotReport = (value: unknown): value is SlotReport => {
  const slot = fieldsOf(value)
  const counters = fieldsOf(slot?.counters)
  return (
    slot !== undefined &&
    isCount(slot.slot) &&
    isText(slot.state) &&
    typeof slot.reason === 'string' &&
    isCount(slot.epoch) &&
    isMeasure(slot.recordsPerSecond) &&
    isMeasure(slot.cpuMsPerSecond) &&
    counters !== undefined &&
    Object.values(counters).every(isMeasure) &&
    (slot.committedAt === undefined || isMeasure(slot.committedAt)) &&
    Array.isArray(slot.partitions) &&
    slot.partitions.every(isPartition)
  )
}

const isPartition = (value: unknown): boolean => {
  const { partition, next, lag } = fieldsOf(value) ?? {}
  return isCount(partition) && isCount(next) && isMeasure(lag)
}

const isPlan = (value: unknown, protocol: Protocol): value is PlanRecord => {
  const plan = fieldsOf(value)
  return (
    plan !== undefined &&
    isReadable(plan.version, protocol) &&
    isText(plan.pipeline) &&
    isCount(plan.epoch) &&
    isCount(plan.slots) &&
    Array.isArray(plan.owners) &&
    plan.owners.length === plan.slots &&
    plan.owners.every((owner: unknown) => owner === null || isText(owner)) &&
    areReleasing(plan.releasing, plan.owners, plan.epoch) &&
    (plan.orders === undefined || areStanding(plan.orders))
  )
}

const areStanding = (value: unknown): boolean => {
  const { seen, pins, drains, paused } = fieldsOf(value) ?? {}
  return (
    isCount(seen) &&
    Object.values(fieldsOf(pins) ?? { none: 0 }).every(isText) &&
    Array.isArray(drains) &&
    drains.every(isText) &&
    Array.isArray(paused) &&
    paused.every(isCount)
  )
}

/** Slots that have no owner, each with who lets go of it, and since when. */
const areReleasing = (value: unknown, owners: readonly unknown[], epoch: number): boolean => {
  if (value === undefined) return true
  const releasing = fieldsOf(value)
  if (releasing === undefined || Array.isArray(value)) return false
  return Object.entries(releasing).every(([slot, one]) => {
    const { worker, since } = fieldsOf(one) ?? {}
    return owners[Number(slot)] === null && isText(worker) && isCount(since) && since <= epoch
  })
}

export const parseReport = (text: string, protocol: Protocol = PROTOCOL): WorkerReport | undefined => {
  const value = parsed(text)
  return isReport(value, protocol) ? value : undefined
}

export const parsePlan = (text: string, protocol: Protocol = PROTOCOL): PlanRecord | undefined => {
  const value = parsed(text)
  return isPlan(value, protocol) ? value : undefined
}

/** Of a plan whose version is not read here: what all versions say alike. */
export const parseUnread = (text: string, protocol: Protocol = PROTOCOL): UnreadPlan | undefined => {
  const { version, pipeline, epoch } = fieldsOf(parsed(text)) ?? {}
  const isOther = isCount(version) && !isReadable(version, protocol)
  return isOther && isText(pipeline) && isCount(epoch) ? { version, pipeline, epoch } : undefined
}
