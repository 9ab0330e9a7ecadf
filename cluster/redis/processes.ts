/**
 * Where the metrics of every live process are: what `/sd/prometheus` answers with. A view like all in Redis: a process says it
 * again and again, and what it does not repeat is forgotten.
 */
import type { Redis } from 'ioredis'
import { pause } from '../kafka/failures.ts'
import type { Keys } from './keys.ts'
import { runScript, scripts } from './scripts.ts'

export type ProcessRole = 'worker' | 'coordinator' | 'sink'

export interface ProcessFacts {
  readonly role: ProcessRole
  readonly id: string
  /** `host:port` of its metrics. */
  readonly address: string
  /** Absent where it serves all, or none. */
  readonly pipeline?: string
}

const roles: readonly string[] = ['worker', 'coordinator', 'sink'] satisfies readonly ProcessRole[]

/** `host:port`, a name or an address: it goes into a scrape configuration. */
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 300

const LEAVE_MS = 1000

/** Undefined where somebody else wrote it. */
const parseFacts = (text: string): ProcessFacts | undefined => {
  try {
    const { role, id, address, pipeline } = JSON.parse(text)
    const isSound = roles.includes(role) && isText(id) && isText(address) && ADDRESS.test(address)
    if (!isSound || !(pipeline === undefined || isText(pipeline))) return undefined
    return { role, id, address, ...(pipeline !== undefined && { pipeline }) }
  } catch {
    return undefined
  }
}

export const readProcesses = async (redis: Redis, keys: Keys): Promise<readonly ProcessFacts[]> => {
  const found = (await runScript(redis, scripts.processesRead, [keys.processes], [])) as string[]
  return found.flatMap((text) => parseFacts(text) ?? [])
}

/** Says it until it is disposed. Redis away is no reason to do anything but say it again. */
export const announceProcess = (
  redis: Redis,
  keys: Keys,
  facts: ProcessFacts,
  ttlMs: number,
): AsyncDisposable => {
  const stop = new AbortController()
  const text = JSON.stringify(facts)
  const repeat = async () => {
    while (!stop.signal.aborted) {
      await runScript(redis, scripts.processRenew, [keys.processes], [text, ttlMs]).catch(() => undefined)
      await pause(ttlMs / 3, stop.signal)
    }
  }
  const repeating = repeat()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      void repeating
      // Redis that stands still must not hold up an end: what is not taken back is forgotten by itself.
      const patience = new AbortController()
      const taken = redis.zrem(keys.processes, text).catch(() => undefined)
      await Promise.race([taken, pause(LEAVE_MS, patience.signal)])
      patience.abort()
    },
  }
}
