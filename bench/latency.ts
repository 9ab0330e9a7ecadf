/** From a record's produce timestamp to the moment a read_committed reader has its output, at a steady pace far below capacity. */
import { createGenerator } from '../cli/generator.ts'
import { note } from '../cli/output.ts'
import { sendPaced, withProducer } from '../cli/produce.ts'
import { tail } from '../cli/tail.ts'
import type { Settings } from '../cluster/settings.ts'
import type { Job } from './child.ts'
import { measure, type System } from './measure.ts'

const RATE = 500
const SECONDS = 30
/** Not counted: code that has not run yet, connections that are not open yet. */
const WARM_UP_SECONDS = 5
const A_SEND = 50

export interface Latency {
  readonly system: System
  readonly records: number
  /** ms */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** @param job of a run that follows its input; its topics exist */
export const measureLatency = async (settings: Settings, system: System, job: Job): Promise<Latency> => {
  const records = RATE * SECONDS
  const delays: number[] = []
  const stop = new AbortController()
  const source = { topic: job.output, which: 'home' } as const
  const options = { from: { at: 'beginning' }, most: records, follow: true, signal: stop.signal } as const
  const producing = Promise.withResolvers<void>()
  const reading = tail(settings, source, options, (output) => delays.push(Date.now() - output.timestamp))
  const running = measure(system, 1, { ...job, records, follow: true }, undefined, {
    owns: () => produce(settings, job.input, records, stop.signal).then(producing.resolve, producing.reject),
  })
  await Promise.all([producing.promise, running]).finally(() =>
    setTimeout(() => stop.abort(), LAST_OUTPUTS_MS),
  )
  await reading
  return { system, ...percentilesOf(delays.slice(RATE * WARM_UP_SECONDS)) }
}

const LAST_OUTPUTS_MS = 2000

const produce = async (settings: Settings, topic: string, records: number, signal: AbortSignal) => {
  const generator = createGenerator({ seed: 1 })
  note(`${records} records at ${RATE} a second`)
  await withProducer(settings, { topic, which: 'input', acks: 'all' }, (producer) =>
    sendPaced(producer, () => generator.next(), { rate: RATE, count: records, most: A_SEND }, { signal }),
  )
}

const percentilesOf = (delays: readonly number[]): Omit<Latency, 'system'> => {
  const sorted = [...delays].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { records: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}
