/** `millrace status` for people: what is wrong first, then workers and partitions. Pure but for colours. */
import { printableText } from '../../cluster/printable.ts'
import { count, styled, table } from '../output.ts'
import { fitted, head, paragraph, tail } from './fit.ts'
import type { ClusterStatus, ShownPipeline, ShownSlot, ShownState, ShownWorker } from './status.ts'

export const statusText = (status: ClusterStatus): string =>
  [coordinatorLines(status), ...status.pipelines.map((one) => pipelineLines(one, status))]
    .map((lines) => lines.join('\n'))
    .join('\n\n')

const coordinatorLines = ({ coordinator, redisAway, pipelines }: ClusterStatus): readonly string[] => {
  const none = pipelines.length === 0 ? ['neither a plan nor a worker is known'] : []
  if (redisAway !== null)
    return [
      ...paragraph(
        `Redis is away (${redisAway}): who leads and what workers do is not known; the plans are from Kafka`,
        'red',
      ),
      ...none,
    ]
  if (coordinator === null)
    return [
      ...paragraph(
        'no coordinator leads: workers go on with what they own, nothing moves; start `millrace coordinator`',
        'red',
      ),
      ...none,
    ]
  return [...paragraph(`coordinator ${coordinator.id} leads, term ${coordinator.term}`), ...none]
}

const pipelineLines = (pipeline: ShownPipeline, { at }: ClusterStatus): readonly string[] => {
  const now = Date.parse(at)
  return [
    ...paragraph(titleOf(pipeline, now), 'bold'),
    ...orderLines(pipeline),
    ...unownedLines(pipeline),
    ...workerLines(pipeline),
    ...slotLines(pipeline.slots, now),
  ]
}

const titleOf = ({ pipeline, plan, slots }: ShownPipeline, now: number): string => {
  const layout = `${slots.length} ${slots.length === 1 ? 'slot' : 'slots'}`
  if (plan === null) return `${pipeline}: no plan, ${layout}`
  return `${pipeline}: plan ${plan.epoch}, written ${age(plan.writtenAt, now)}, ${layout}`
}

const orderLines = ({ orders }: ShownPipeline): readonly string[] => {
  const { pins, drains, paused, open } = orders
  const inForce = [
    ...(paused.length > 0 ? [`paused: ${paused.join(', ')}`] : []),
    ...(drains.length > 0 ? [`drained: ${drains.join(', ')}`] : []),
    ...Object.entries(pins).map(([slot, worker]) => `slot ${slot} pinned to ${worker}`),
  ]
  return [
    ...(inForce.length > 0 ? paragraph(`by order: ${inForce.join('; ')}`) : []),
    ...open.flatMap((text) => paragraph(`ordered, not taken up yet: ${text}`, 'yellow')),
  ]
}

const unownedLines = ({ slots, workers, plan }: ShownPipeline): readonly string[] => {
  const unowned = slots.filter(({ state }) => state === 'unowned')
  if (unowned.length === 0)
    return workers?.length === 0 && plan === null ? paragraph('no worker lives', 'red') : []
  const which =
    unowned.length === slots.length
      ? `any of the ${slots.length} slots`
      : `slots ${unowned.map(({ slot }) => slot).join(', ')}`
  return paragraph(`nobody owns ${which}: their partitions are not read; ${remedyFor(workers)}`, 'red')
}

const remedyFor = (workers: ShownPipeline['workers']): string => {
  if (workers === null) return 'whether a worker lives is not known'
  if (workers.length === 0) return 'no worker lives: start some with `millrace worker`'
  if (workers.every(({ drained, draining }) => drained || draining))
    return 'every worker is drained: start another, or take one back with `millrace drain <worker> --undo`'
  return 'the leader gives them out within seconds, if there is one'
}

const WORKER_HEAD = ['worker', 'host', 'pid', 'slots', 'lag', 'records/s', 'state', 'protocol']

const workerLines = ({ workers, slots }: ShownPipeline): readonly string[] => {
  if (workers === null || workers.length === 0) return []
  const cells = (worker: ShownWorker, most: number): readonly string[] => {
    const own = slots.filter(({ owner }) => owner === worker.worker)
    return [
      tail(printableText(worker.worker), most),
      head(printableText(worker.host), most),
      String(worker.pid),
      String(worker.slots.length),
      count(own.reduce((sum, slot) => sum + lagOf(slot), 0)),
      count(Math.round(own.reduce((sum, slot) => sum + (slot.recordsPerSecond ?? 0), 0))),
      workerState(worker),
      String(worker.version),
    ]
  }
  const made = (most: number) =>
    table(
      WORKER_HEAD,
      workers.map((worker) => cells(worker, most)),
    )
  return ['', ...fitted(made)]
}

const lagOf = ({ partitions }: ShownSlot): number => partitions.reduce((sum, { lag }) => sum + lag, 0)

const workerState = ({ draining, drained, kafkaAway, solo }: ShownWorker): string => {
  if (kafkaAway) return styled('red', 'sees no Kafka')
  if (draining) return styled('yellow', 'ends')
  if (drained) return styled('yellow', 'drained by order')
  return solo ? 'alone' : styled('green', 'works')
}

const HEAD = ['partition', 'slot', 'owner', 'state', 'position', 'lag', 'records/s', 'parked', 'last commit']

/** What a slot reports as a whole stands in the row of its first partition. */
const slotLines = (slots: readonly ShownSlot[], now: number): readonly string[] => {
  if (slots.every(({ state }) => state === 'unowned')) return []
  const reasons = slots.filter(({ reason, state }) => reason !== '' && state !== 'paused')
  return [
    '',
    ...fitted((most) =>
      table(
        HEAD,
        slots.flatMap((slot) => rowsOf(slot, now, most)),
      ),
    ),
    ...reasons.flatMap(({ slot, reason, state }) =>
      paragraph(`slot ${slot}: ${reason}`, state === 'halted' ? 'red' : 'yellow'),
    ),
  ]
}

const rowsOf = (slot: ShownSlot, now: number, most: number): readonly (readonly string[])[] => {
  const owner = slot.owner === null ? '-' : tail(printableText(slot.owner), most)
  const whole = [
    slot.recordsPerSecond === null ? '-' : count(Math.round(slot.recordsPerSecond)),
    slot.parked === null ? '-' : count(slot.parked),
    slot.lastCommit === null ? '-' : age(slot.lastCommit, now),
  ]
  const first = slot.partitions[0]
  if (first === undefined) return [['-', String(slot.slot), owner, stateText(slot, most), '-', '-', ...whole]]
  return slot.partitions.map(({ partition, position, lag, state }) => [
    String(partition),
    String(slot.slot),
    owner,
    stateText({ state, reason: slot.reason }, most),
    String(position),
    count(lag),
    ...(partition === first.partition ? whole : ['', '', '']),
  ])
}

const colours = {
  running: 'green',
  halted: 'red',
  fenced: 'red',
  unowned: 'red',
  silent: 'red',
} as const satisfies Partial<Record<ShownState, string>>

const words: Partial<Record<ShownState, string>> = {
  paused: 'paused by order',
  unowned: 'no owner',
  silent: 'owner does not report',
  unknown: 'not known',
}

/** With the reason's first words; the whole stands below. */
const stateText = ({ state, reason }: Pick<ShownSlot, 'state' | 'reason'>, most: number): string => {
  const why = printableText(reason.split(':')[0] ?? '')
  const waits = state === 'running' && reason !== ''
  const text = waits ? `waits: ${why}` : state === 'halted' ? `halted: ${why}` : (words[state] ?? state)
  const colour = waits
    ? 'yellow'
    : (Object.entries(colours).find(([name]) => name === state)?.[1] ?? 'yellow')
  return styled(colour, head(text, most))
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

/** `12 s ago`; clocks of machines differ a little, and nothing lies ahead. */
export const age = (time: string, now: number): string => {
  const ms = Math.max(0, now - Date.parse(time))
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['s', 1000]
  return `${Math.floor(ms / size)} ${unit} ago`
}
