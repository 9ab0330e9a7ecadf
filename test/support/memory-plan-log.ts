/** The plan log in memory: writers share `PlanStore`, the last to open fences the others. */
import type { PlanRecord, UnreadPlan } from '../../cluster/protocol/plan.ts'
import type { PlanLog } from '../../cluster/protocol/plan-log.ts'

export interface PlanStore {
  readonly records: PlanRecord[]
  /** What a stranger wrote: whoever follows hears it, and a new leader reads it. */
  tell(plan: PlanRecord | UnreadPlan): void
  writer(): PlanLog & { readonly refused: number }
}

export const memoryPlanStore = (): PlanStore => {
  const records: PlanRecord[] = []
  const all: (PlanRecord | UnreadPlan)[] = []
  const listeners = new Set<(plan: PlanRecord | UnreadPlan) => void>()
  let newest = 0
  const latest = () => {
    const plans = new Map<string, PlanRecord | UnreadPlan>()
    for (const plan of all)
      if (plan.epoch > (plans.get(plan.pipeline)?.epoch ?? 0)) plans.set(plan.pipeline, plan)
    return plans
  }
  const tell = (plan: PlanRecord | UnreadPlan) => {
    all.push(plan)
    for (const listener of listeners) listener(plan)
  }
  return {
    records,
    tell,
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
          tell(plan)
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
