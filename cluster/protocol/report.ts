/** Checks of what other processes wrote: a malformed or newer-versioned text is undefined, never an exception. */
import { type PlanRecord, PROTOCOL_VERSION, type SlotReport, type WorkerReport } from './plan.ts'

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

const isReport = (value: unknown): value is WorkerReport => {
  const report = fieldsOf(value)
  return (
    report?.version === PROTOCOL_VERSION &&
    isText(report.worker) &&
    isText(report.pipeline) &&
    isCount(report.slots) &&
    isCount(report.appliedEpoch) &&
    typeof report.draining === 'boolean' &&
    Array.isArray(report.owned) &&
    report.owned.every(isSlotReport)
  )
}

const isSlotReport = (value: unknown): value is SlotReport => {
  const slot = fieldsOf(value)
  return slot !== undefined && isCount(slot.slot) && isText(slot.state) && isCount(slot.epoch)
}

const isPlan = (value: unknown): value is PlanRecord => {
  const plan = fieldsOf(value)
  return (
    plan?.version === PROTOCOL_VERSION &&
    isText(plan.pipeline) &&
    isCount(plan.epoch) &&
    isCount(plan.slots) &&
    Array.isArray(plan.owners) &&
    plan.owners.length === plan.slots &&
    plan.owners.every((owner: unknown) => owner === null || isText(owner))
  )
}

export const parseReport = (text: string): WorkerReport | undefined => {
  const value = parsed(text)
  return isReport(value) ? value : undefined
}

export const parsePlan = (text: string): PlanRecord | undefined => {
  const value = parsed(text)
  return isPlan(value) ? value : undefined
}
