/** `millrace move` and `pin`: where a slot is. A partition names its slot; both act on all partitions of it. */
import { MillraceError } from '../../cluster/errors.ts'
import { slotOf } from '../../cluster/protocol/names.ts'
import type { Act } from '../../cluster/protocol/orders.ts'
import { carry } from './carry.ts'
import {
  type Field,
  findWorker,
  partitionsOf,
  requirePartitions,
  requireTaker,
  slotsOf,
  workersOf,
} from './find.ts'
import type { Ground } from './ground.ts'
import { listed } from './text.ts'

interface Place {
  readonly slot: number
  /** `slot 1 (partitions 1, 5) of user-login` */
  readonly what: string
}

const placeOf = ({ field, input, pipeline }: Ground, partition: number): Place => {
  requirePartitions([partition], input.topic, input.partitions)
  const slots = slotsOf(field)
  if (slots === undefined)
    throw new MillraceError('usage', `${pipeline} has neither a plan nor a worker: there are no slots yet`, {
      remedy: 'start its workers first',
    })
  const slot = slotOf(partition, slots)
  const all = partitionsOf(slot, slots, input.partitions)
  return { slot, what: `slot ${slot} (${listed('partition', all)}) of ${pipeline}` }
}

const takerOf = (field: Field, given: string): string => {
  const worker = findWorker(given, workersOf(field), field)
  requireTaker(field, worker)
  return worker
}

/** @returns what came of it, as a line */
export const moveSlot = async (
  ground: Ground,
  partition: number,
  given: string,
  waitMs: number,
): Promise<string> => {
  const { slot, what } = placeOf(ground, partition)
  const worker = takerOf(ground.field, given)
  refusePinned(ground.field, slot, partition, worker)
  const moved = await settle(ground, { kind: 'move', slot, worker }, worker, waitMs)
  return 'stands' in moved
    ? `${what}: the order to move it to ${worker} stands; ${moved.stands}`
    : `moved by plan ${moved.epoch}: ${what} to ${worker}; later plans may move it on, \`millrace pin\` would keep it there`
}

const refusePinned = ({ plan }: Field, slot: number, partition: number, worker: string): void => {
  const pin = plan?.orders?.pins[slot]
  if (pin === undefined || pin === worker) return
  throw new MillraceError('usage', `slot ${slot} is pinned to ${pin}`, {
    remedy: `take that back with \`millrace pin ${partition} --undo\`, or pin it to ${worker}`,
  })
}

/** @returns what came of it, as a line */
export const pinSlot = async (
  ground: Ground,
  partition: number,
  given: string,
  waitMs: number,
): Promise<string> => {
  const { slot, what } = placeOf(ground, partition)
  const worker = takerOf(ground.field, given)
  const pinned = await settle(ground, { kind: 'pin', slot, worker, on: true }, worker, waitMs)
  return 'stands' in pinned
    ? `${what}: the order to pin it to ${worker} stands; ${pinned.stands}`
    : `pinned by plan ${pinned.epoch}: ${what} to ${worker}, for as long as it lives`
}

/** @returns what came of it, as a line */
export const unpinSlot = async (ground: Ground, partition: number, waitMs: number): Promise<string> => {
  const { slot, what } = placeOf(ground, partition)
  // The order names a worker; which one is all the same where it is taken back.
  const worker = ground.field.plan?.orders?.pins[slot] ?? 'any'
  const carried = await carry(ground, [{ kind: 'pin', slot, worker, on: false }], { waitMs })
  return 'stands' in carried
    ? `${what}: the order to take its pin back stands; ${carried.stands}`
    : `pinned no longer, by plan ${carried.field.plan?.epoch}: ${what}; plans may move it`
}

/** Until the plan says that the slot is there. */
const settle = async (
  ground: Ground,
  act: Act & { readonly slot: number },
  worker: string,
  waitMs: number,
) => {
  const carried = await carry(ground, [act], {
    waitMs,
    missing: ({ plan }) => {
      const owner = plan?.owners[act.slot] ?? null
      if (owner === worker) return ''
      const leaving = plan?.releasing?.[act.slot]?.worker
      return owner === null ? `${leaving ?? 'nobody'} has not let go of it` : `it is with ${owner}`
    },
  })
  return 'stands' in carried ? carried : { epoch: carried.field.plan?.epoch }
}
