/**
 * What a measured process says to the bench that forked it, and how it measures itself. Both systems run alike: the clock
 * starts when the process owns its partitions (first claim, or group join) and stops when the last offset is committed.
 */
import { readFileSync } from 'node:fs'
import type { Counts } from './login-loop.ts'

/** Given to the process as JSON in its first argument. */
export interface Job {
  readonly brokers: readonly string[]
  readonly redis: string
  readonly clusterId: string
  readonly topicPrefix: string
  readonly input: string
  readonly output: string
  readonly deadLetters: string
  /** Group of the loop, and `--as` of Millrace. */
  readonly name: string
  /** The clock stops after so many. */
  readonly records: number
  /** The input is still being written. */
  readonly follow: boolean
  /** With telemetry on. */
  readonly watched: boolean
}

export interface Measured {
  readonly seconds: number
  /** User and system time of all threads while the clock ran. */
  readonly cpuSeconds: number
  /** The same before it: loading modules, connecting, starting threads. */
  readonly startCpuSeconds: number
  /** Highest resident set of the process, start-up included. */
  readonly peakMb: number
  readonly counts: { readonly device_type: Counts; readonly locale: Counts }
}

export type FromSystem =
  | { readonly kind: 'owns' }
  | { readonly kind: 'done' }
  | { readonly kind: 'measured'; readonly measured: Measured }

export const jobOf = (argument: string | undefined): Job => JSON.parse(argument ?? '') as Job

export const tell = (message: FromSystem): void => {
  process.send?.(message)
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Of this process; 0 where the system has no /proc. */
const peakMb = (): number => {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return process.resourceUsage().maxRSS / 1024
  }
}

export class Clock {
  #started: { readonly at: number; readonly cpu: number } | undefined
  #ended: { readonly at: number; readonly cpu: number } | undefined

  /** The first call counts. */
  start(): void {
    if (this.#started !== undefined) return
    this.#started = { at: performance.now(), cpu: cpuSeconds() }
    tell({ kind: 'owns' })
  }

  stop(): void {
    this.#ended = { at: performance.now(), cpu: cpuSeconds() }
    tell({ kind: 'done' })
  }

  measured(counts: Measured['counts']): Measured {
    if (this.#started === undefined || this.#ended === undefined) throw new Error('the clock has not run')
    const { at, cpu } = this.#started
    const seconds = (this.#ended.at - at) / 1000
    return { seconds, cpuSeconds: this.#ended.cpu - cpu, startCpuSeconds: cpu, peakMb: peakMb(), counts }
  }
}
