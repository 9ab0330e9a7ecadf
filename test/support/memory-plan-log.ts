/** The plan log in memory: writers share `PlanStore`, the last to open fences the others. */
import type { PlanRecord } from '../../cluster/protocol/plan.ts'
import type { PlanLog } from '../../cluster/protocol/plan-log.ts'

export interface PlanStore {
  readonly records: PlanRecord[]
  writer(): PlanLog & { readonly refused: number }
}

export const memoryPlanStore = (): PlanStore => {
  const records: PlanRecord[] = []
  const listeners = new Set<(plan: PlanRecord) => void>()
  let newest = 0
  const latest = () => {
    const plans = new Map<string, PlanRecord>()
    for (const plan of records) plans.set(plan.pipeline, plan)
    return plans
  }
  return {
    records,
    writer() {
      let own = 0
      let refused = 0
      return {
        get refused() {
          return refused
        },
        async open() {
          newest += 1
          own = newest
          return 'ok'
        },
        async append(plan) {
          if (own !== newest) {
            refused += 1
            return 'fenced'
          }
          records.push(plan)
          for (const listener of listeners) listener(plan)
          return 'ok'
        },
        latest: async () => latest(),
        follow(listener) {
          for (const plan of latest().values()) listener(plan)
          listeners.add(listener)
          return () => void listeners.delete(listener)
        },
      }
    },
  }
}
