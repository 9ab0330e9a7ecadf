/** The Lua scripts beside this file: each is one atomic step, its contract in its header. Sent by hash, by source where Redis does not know it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

export interface Script {
  readonly source: string
  readonly sha: string
}

const load = (name: string): Script => {
  const source = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

export const scripts = {
  accessCheck: load('access-check'),
  homeClaim: load('home-claim'),
  leaseAcquire: load('lease-acquire'),
  leaseRenew: load('lease-renew'),
  leaseRelease: load('lease-release'),
  workerRenew: load('worker-renew'),
  workerLeave: load('worker-leave'),
  workersRead: load('workers-read'),
  processRenew: load('process-renew'),
  processesRead: load('processes-read'),
  viewsPublish: load('views-publish'),
} as const

export const runScript = async (
  redis: Redis,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> => {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return await redis.eval(script.source, keys.length, ...keys, ...args)
  }
}
