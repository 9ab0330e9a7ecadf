/** Kafka and Redis by Docker Compose. The command lines are pure; data stays in the project's volumes when it stops. */
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../../cluster/errors.ts'
import { guardWith } from './guard.ts'
import { freePorts, LOOPBACK } from './ports.ts'
import { run } from './run.ts'
import { markOf, removeState, type ServicesState, stateAnswers, writeState } from './state.ts'
import { type Needs, which } from './tools.ts'

const file = fileURLToPath(new URL('../../deploy/local/compose.yml', import.meta.url))

/** Compose allows lower case, digits, `-` and `_`. */
export const projectName = (name: string): string =>
  `millrace-${name.toLowerCase().replace(/[^a-z0-9_-]/g, '-')}`

export const composeUp = (name: string, needs: Needs): readonly [string, ...string[]] => [
  ...compose(name),
  'up',
  '--detach',
  ...(needs.kafka ? ['kafka'] : []),
  ...(needs.redis ? ['redis'] : []),
]
export const composeDown = (name: string): readonly [string, ...string[]] => [...compose(name), 'down']

const compose = (name: string): [string, ...string[]] => [
  'docker',
  'compose',
  '--project-name',
  projectName(name),
  '--file',
  file,
]

const QUICK_MS = 3000

/** A client without a daemon, or without Compose, is no engine. */
export const composeEngine = async (): Promise<boolean> => {
  if (which('docker') === undefined) return false
  const [info, version] = await Promise.all([
    run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: QUICK_MS }),
    run('docker', ['compose', 'version', '--short'], { timeoutMs: QUICK_MS }),
  ])
  return info.code === 0 && info.stdout.trim() !== '' && version.code === 0
}

export type ComposeStart =
  | { readonly started: true; readonly state: ServicesState; stop(): Promise<void> }
  | { readonly started: false; readonly reason: string }

export interface ComposeOptions {
  readonly folder: string
  readonly needs: Needs
  readonly keep?: boolean
  readonly startTimeout: number
  readonly log: (line: string) => void
}

export const startCompose = async (options: ComposeOptions): Promise<ComposeStart> => {
  const { folder, needs, log } = options
  const name = basename(folder)
  const [kafkaPort = 0, redisPort = 0] = await freePorts(2)
  log('services: starting Kafka and Redis with Docker Compose (the first time brings their images)')
  const [docker, ...args] = composeUp(name, needs)
  const ran = await run(docker, args, { env: { KAFKA_PORT: `${kafkaPort}`, REDIS_PORT: `${redisPort}` } })
  if (ran.code !== 0) return { started: false, reason: lastLine(ran.stderr) }
  const state: ServicesState = {
    kind: 'compose',
    owner: options.keep ? null : markOf('owner', process.pid),
    kafka: needs.kafka ? [`${LOOPBACK}:${kafkaPort}`] : [],
    redis: needs.redis ? `redis://${LOOPBACK}:${redisPort}` : '',
    processes: [],
  }
  const stop = async () => {
    await stopCompose(name)
    await removeState(folder)
  }
  if (!(await answerInTime(state, options.startTimeout))) {
    await stop()
    return { started: false, reason: `no answer within ${options.startTimeout / 1000} s` }
  }
  await writeState(folder, state)
  if (!options.keep) await guardWith(composeDown(name))
  return { started: true, state, stop }
}

export const stopCompose = async (name: string): Promise<void> => {
  const [docker, ...args] = composeDown(name)
  const ran = await run(docker, args, { env: placeholders })
  if (ran.code !== 0)
    throw new MillraceError('services', `Docker Compose does not stop: ${lastLine(ran.stderr)}`)
}

/** The file asks for ports; to stop, any will do. */
const placeholders = { KAFKA_PORT: '0', REDIS_PORT: '0' }

const answerInTime = async (state: ServicesState, timeoutMs: number): Promise<boolean> => {
  const deadline = Date.now() + timeoutMs
  while (!(await stateAnswers(state))) {
    if (Date.now() > deadline) return false
    await delay(200)
  }
  return true
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''
