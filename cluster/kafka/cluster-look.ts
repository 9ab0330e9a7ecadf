/** What stands in the cluster topic at this moment, for whoever looks at it from outside. */
import { MillraceError } from '../errors.ts'
import type { Order } from '../protocol/orders.ts'
import { isUnread, type PlanRecord } from '../protocol/plan.ts'
import { believed, type PlanTopic, scanAll } from './plan-log.ts'

export interface WrittenPlan {
  readonly plan: PlanRecord
  /** Epoch ms, by its leader's clock. */
  readonly at: number
}

export interface ClusterLook {
  /** The newest plan of each pipeline. */
  readonly plans: ReadonlyMap<string, WrittenPlan>
  /** In the order they were given; of each subject the newest at least. */
  readonly orders: readonly Order[]
}

const nothing: ClusterLook = { plans: new Map(), orders: [] }

/** Where nobody ever led or ordered there is no topic, and nothing in it. @throws MillraceError `kafka-auth`, `timeout` */
export const lookAtCluster = async (where: PlanTopic): Promise<ClusterLook> => {
  const plans = new Map<string, WrittenPlan>()
  const orders: Order[] = []
  const { planAt, orderAt } = believed(where)
  try {
    await scanAll(where.topology, where.topic, (cursor, batch) => {
      const plan = planAt(cursor, batch)
      if (plan !== undefined && plan.epoch > (plans.get(plan.pipeline)?.plan.epoch ?? -1)) {
        // What was before one that is not read here counts no more.
        if (isUnread(plan)) plans.delete(plan.pipeline)
        else plans.set(plan.pipeline, { plan, at: cursor.timestamp })
      }
      const order = orderAt(cursor, batch, orders.at(-1)?.epoch ?? 0)
      if (order !== undefined) orders.push(order)
    })
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'topic-missing') return nothing
    throw error
  }
  return { plans, orders }
}
