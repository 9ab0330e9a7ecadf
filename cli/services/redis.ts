/** Native Redis: append-only, never evicting, on loopback; can be killed and started again on the same port and data. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, LOOPBACK } from './ports.ts'
import { awaitReady, type ServiceProcess, startProcess } from './process.ts'
import { redisAnswers } from './ready.ts'

export interface RedisOptions {
  /** Path of redis-server. */
  readonly command: string
  readonly folder: string
  /** Further directives, e.g. { 'maxmemory-policy': 'allkeys-lru' }. */
  readonly directives?: Readonly<Record<string, string>>
  readonly startTimeout?: number
}

export interface RedisServer {
  readonly name: string
  readonly url: string
  readonly port: number
  readonly pid: number
  running(): boolean
  signal(name: NodeJS.Signals): void
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** Same port, same data. Resolves when it answers. */
  start(): Promise<void>
  stop(): Promise<void>
  /** From now on it outlives this process. */
  leave(): Promise<void>
}

const START_TIMEOUT = 20_000

export const redisArgs = (
  port: number,
  folder: string,
  directives: Readonly<Record<string, string>> = {},
): readonly string[] => {
  const all = {
    bind: LOOPBACK,
    port: String(port),
    dir: folder,
    appendonly: 'yes',
    'maxmemory-policy': 'noeviction',
    // The append-only file is the one copy; snapshots beside it would only cost a fork.
    save: '',
    daemonize: 'no',
    ...directives,
  }
  return Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
}

export const startRedis = async (options: RedisOptions): Promise<RedisServer> => {
  const port = await freePort()
  await mkdir(options.folder, { recursive: true })
  const spawnRedis = () =>
    startProcess({
      name: 'Redis',
      command: options.command,
      args: redisArgs(port, options.folder, options.directives),
      cwd: options.folder,
      logFile: join(options.folder, 'redis.log'),
    })
  const url = `redis://${LOOPBACK}:${port}`
  let process: ServiceProcess = await spawnRedis()
  const ready = () => awaitReady(process, () => redisAnswers(url), options.startTimeout ?? START_TIMEOUT)
  await ready()
  return {
    name: 'redis',
    url,
    port,
    get pid() {
      return process.pid
    },
    running: () => process.running(),
    signal: (name) => process.signal(name),
    kill: () => process.kill(),
    start: async () => {
      if (process.running()) return
      process = await spawnRedis()
      await ready()
    },
    stop: () => process.stop(),
    leave: () => process.leave(),
  }
}
