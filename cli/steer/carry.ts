/** Gives orders and waits until the leader has taken them up, and until what they ask for is so. */
import { MillraceError } from '../../cluster/errors.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { type Act, orderText } from '../../cluster/protocol/orders.ts'
import { giveOrders } from '../orders.ts'
import type { ClusterFacts } from '../status/look.ts'
import { type Field, fieldOf } from './find.ts'
import type { Ground } from './ground.ts'

export interface CarryOptions {
  readonly waitMs: number
  /** What is still missing once the orders stand in a plan; empty: nothing. Absent: that is all. */
  readonly missing?: (field: Field) => string
}

/** `stands`: nobody can take it up now, and why; whoever leads next carries it out. */
export type Carried = { readonly field: Field } | { readonly stands: string }

/** @throws MillraceError `timeout` where it is not so by the deadline: the orders stand */
export const carry = async (
  { settings, pipeline, eye, signal }: Ground,
  acts: readonly Act[],
  { waitMs, missing = () => '' }: CarryOptions,
): Promise<Carried> => {
  const orders = await giveOrders(settings, pipeline, acts)
  const epoch = Math.max(...orders.map((order) => order.epoch))
  const deadline = performance.now() + waitMs
  const line = waitingLine()
  try {
    for (;;) {
      const facts = await eye.look()
      const field = fieldOf(facts, pipeline)
      const isTaken = (field.plan?.orders?.seen ?? 0) >= epoch
      const stands = isTaken ? '' : nobodyTakes(facts, field)
      if (stands !== '') return { stands }
      const open = isTaken ? missing(field) : whyOpen(facts)
      if (open === '') return { field }
      if (performance.now() > deadline || signal.aborted) throw late(acts, open)
      line.show(open)
      await pause(LOOK_MS, signal)
    }
  } finally {
    line.clear()
  }
}

const LOOK_MS = 250

/** A leader plans nothing for a pipeline that nobody owns anything of, before a worker comes. */
const nobodyTakes = ({ redis }: ClusterFacts, { plan, reports, pipeline }: Field): string => {
  if ('away' in redis) return ''
  if (redis.leader === undefined) return 'no coordinator leads; it is carried out when one does'
  const owned = [...(plan?.owners ?? []), ...Object.keys(plan?.releasing ?? {})].some((one) => one !== null)
  return owned || reports?.length !== 0
    ? ''
    : `no worker of ${pipeline} lives; it is carried out when one starts`
}

const whyOpen = ({ redis }: ClusterFacts): string =>
  'away' in redis
    ? 'Redis is away, so nobody can lead: no plan has taken it up'
    : 'the leader has not taken it up'

const late = (acts: readonly Act[], open: string): MillraceError =>
  new MillraceError('timeout', `${acts.map(orderText).join(', ')}: ${open}`, {
    remedy: 'the order stands: `millrace status` shows what comes of it',
  })

/** For people who wait; nothing where nobody watches. */
const waitingLine = ({ stderr } = process) => ({
  show: (text: string) => {
    if (stderr.isTTY) stderr.write(`\r\x1b[K${`waiting: ${text}`.slice(0, stderr.columns - 1)}`)
  },
  clear: () => {
    if (stderr.isTTY) stderr.write('\r\x1b[K')
  },
})
