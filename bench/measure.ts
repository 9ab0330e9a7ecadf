/** Runs one system in a process of its own and measures it from outside and inside; then looks at what it wrote. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { FromSystem, Job, Measured } from './child.ts'

/** `watched`: Millrace with telemetry on, 1 % of the records sampled, scraped once a second. */
export const systems = ['millrace', 'watched', 'loop'] as const
export type System = (typeof systems)[number]

const entries = {
  millrace: './millrace-process.ts',
  watched: './millrace-process.ts',
  loop: './loop-process.ts',
} as const

export interface Sample {
  readonly system: System
  readonly round: number
  readonly recordsPerSecond: number
  /** CPU seconds per million records. */
  readonly cpu: number
  /** The same of the broker; undefined where its process is not ours to look at. */
  readonly brokerCpu: number | undefined
  readonly startCpuSeconds: number
  readonly peakMb: number
  readonly seconds: number
  /** Of the machine, when the clock stopped: one minute's average. */
  readonly load: number
}

const TICKS_A_SECOND = 100

/** User and system time of a process so far, in seconds. */
const cpuOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

export interface Measurement {
  readonly sample: Sample
  readonly counts: Measured['counts']
}

export const measure = async (
  system: System,
  round: number,
  job: Job,
  broker: number | undefined,
  hooks: { readonly owns?: () => unknown } = {},
): Promise<Measurement> => {
  const child = fork(new URL(entries[system], import.meta.url), [JSON.stringify(job)], {
    execArgv: ['--disable-warning=TimeoutNegativeWarning', ...extraArguments()],
  })
  let brokerBefore = 0
  let brokerAfter = 0
  let load = 0
  let measured: Measured | undefined
  child.on('message', (message: FromSystem) => {
    if (message.kind === 'measured') measured = message.measured
    else if (message.kind === 'owns') {
      brokerBefore = broker === undefined ? 0 : cpuOf(broker)
      hooks.owns?.()
    } else {
      brokerAfter = broker === undefined ? 0 : cpuOf(broker)
      load = loadavg()[0] ?? 0
    }
  })
  const [code] = await once(child, 'exit')
  if (measured === undefined || code !== 0) throw new Error(`${system} ended with ${code}, not measured`)
  const millions = job.records / 1e6
  const { seconds, cpuSeconds, startCpuSeconds, peakMb, counts } = measured
  const sample = {
    system,
    round,
    recordsPerSecond: job.records / seconds,
    cpu: cpuSeconds / millions,
    brokerCpu: broker === undefined ? undefined : (brokerAfter - brokerBefore) / millions,
    startCpuSeconds,
    peakMb,
    seconds,
    load,
  }
  return { sample, counts }
}

/** For profiles of the measured processes: `BENCH_NODE_ARGUMENTS=--cpu-prof`. */
const extraArguments = (): readonly string[] =>
  (process.env.BENCH_NODE_ARGUMENTS ?? '').split(' ').filter(Boolean)
