/** One start of the cluster process: what was saved runs in it, until the next save or the end. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { entryUrl } from '../../cluster/entry.ts'
import { type ErrorCode, errorKinds, MillraceError } from '../../cluster/errors.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { FromChild, ToChild } from '../../workers/child.ts'
import { settingsEnv } from '../settings-env.ts'

export interface Generation extends AsyncDisposable {
  /** Rejects where it does not start. */
  readonly ready: Promise<void>
  /** Resolves when it has ended: with what it ended by, or undefined after a stop. */
  readonly ended: Promise<MillraceError | undefined>
}

/** Beyond the drain of its worker, and the kill of one that does not drain. */
const KILL_AFTER_MS = 5000

/** @param secrets options that were made up, by variable */
export const startGeneration = (
  settings: Settings,
  secrets: Readonly<Record<string, string>>,
): Generation => {
  const entry = fileURLToPath(entryUrl('./cluster-process', import.meta.url))
  const child = fork(entry, [], {
    env: { ...process.env, ...secrets, ...settingsEnv(settings) },
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    // A Ctrl-C of the terminal reaches this process only, which asks for an orderly end.
    detached: true,
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => undefined)
  const tell = (message: ToChild) => {
    if (child.connected) child.send(message, () => undefined)
  }
  let failure: MillraceError | undefined
  let stopping = false
  child.on('message', (message: FromChild) => {
    if (message.kind === 'ready') ready.resolve()
    if (message.kind === 'failed') failure = new MillraceError(codeOf(message.code), message.detail)
  })
  const { promise: ended, resolve } = Promise.withResolvers<MillraceError | undefined>()
  child.once('error', (error) => {
    failure = new MillraceError('internal', error.message)
  })
  child.once('close', (code, signal) => {
    failure ??= new MillraceError(
      'internal',
      `the cluster process ended with ${signal ?? `exit code ${code}`}`,
    )
    ready.reject(failure)
    resolve(stopping ? undefined : failure)
  })
  tell({ kind: 'start', index: 0, kept: undefined })
  return {
    ready: ready.promise,
    ended,
    async [Symbol.asyncDispose]() {
      stopping = true
      tell({ kind: 'stop' })
      const kill = setTimeout(() => child.kill('SIGKILL'), settings.grace + KILL_AFTER_MS)
      await ended
      clearTimeout(kill)
    },
  }
}

const codeOf = (code: string): ErrorCode =>
  Object.hasOwn(errorKinds, code) ? (code as ErrorCode) : 'internal'
