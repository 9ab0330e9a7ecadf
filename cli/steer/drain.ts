/** `millrace drain`: a worker that shall own nothing, and how one waits for it. */
import { carry } from './carry.ts'
import { type Field, findWorker, requireAnother, workersOf } from './find.ts'
import type { Ground } from './ground.ts'
import { listed } from './text.ts'

export interface DrainOptions {
  readonly undo?: boolean
  readonly force?: boolean
  /** ms */
  readonly wait: number
}

/** @returns what came of it, as a line */
export const drainWorker = async (ground: Ground, given: string, options: DrainOptions): Promise<string> => {
  const { field, pipeline } = ground
  if (options.undo) return undrain(ground, given, options.wait)
  const worker = findWorker(given, workersOf(field), field)
  if (!options.force) requireAnother(field, worker)
  const carried = await carry(ground, [{ kind: 'drain', worker, on: true }], {
    waitMs: options.wait,
    missing: (now) => stillOwned(now, worker),
  })
  return 'stands' in carried
    ? `worker ${worker} of ${pipeline}: the order to drain it stands; ${carried.stands}`
    : `drained by plan ${carried.field.plan?.epoch}: worker ${worker} of ${pipeline} owns nothing, until \`millrace drain ${worker} --undo\``
}

const undrain = async (ground: Ground, given: string, waitMs: number): Promise<string> => {
  const { field, pipeline } = ground
  // Also one that lives no longer.
  const known = new Set([...workersOf(field), ...(field.plan?.orders?.drains ?? [])])
  const worker = findWorker(given, [...known], field)
  const carried = await carry(ground, [{ kind: 'drain', worker, on: false }], { waitMs })
  return 'stands' in carried
    ? `worker ${worker} of ${pipeline}: the order to give it slots again stands; ${carried.stands}`
    : `drained no longer, by plan ${carried.field.plan?.epoch}: worker ${worker} of ${pipeline} takes slots again`
}

/** As the plan has it and as the worker reports it; one that lives no longer owns nothing. */
const stillOwned = ({ plan, reports }: Field, worker: string): string => {
  const planned = (plan?.owners ?? []).flatMap((owner, slot) => (owner === worker ? [slot] : []))
  const leaving = Object.entries(plan?.releasing ?? {}).flatMap(([slot, one]) =>
    one.worker === worker ? [Number(slot)] : [],
  )
  if (reports === undefined) return 'Redis is away: what the worker still owns is not known'
  const held = reports.find((report) => report.worker === worker)?.owned.map(({ slot }) => slot) ?? []
  const slots = [...new Set([...planned, ...leaving, ...held])].sort((a, b) => a - b)
  return slots.length === 0 ? '' : `${worker} still has ${listed('slot', slots)}`
}
