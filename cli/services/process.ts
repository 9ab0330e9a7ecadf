/**
 * A service process. It lives in a session of its own, so that Ctrl-C reaches only us and we stop it after our drain.
 * States: running -> (signalled ->) exited. `stop` is idempotent: SIGTERM, after the grace SIGKILL.
 */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { MillraceError } from '../../cluster/errors.ts'
import { guard, unguard } from './guard.ts'

export interface ServiceProcess {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  /** Resolves with what ended it, e.g. `exit code 1` or `SIGKILL`. */
  readonly exited: Promise<string>
  running(): boolean
  signal(name: NodeJS.Signals): void
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  stop(graceMs?: number): Promise<void>
  /** From now on it outlives this process. */
  leave(): Promise<void>
}

export interface Program {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly logFile: string
}

const GRACE_MS = 5000

export const startProcess = async (program: Program): Promise<ServiceProcess> => {
  if (existsSync(program.logFile)) renameSync(program.logFile, `${program.logFile}.1`)
  const log = openSync(program.logFile, 'w')
  const child = spawn(program.command, program.args, {
    cwd: program.cwd,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  const { pid } = child
  if (pid === undefined)
    throw new MillraceError('services', `${program.name} does not start: ${await exited}`)
  await guard(pid)
  void exited.then(() => unguard(pid))
  child.unref()
  const running = () => child.exitCode === null && child.signalCode === null
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!running()) return
    child.ref() // Else nothing might keep us waiting for it.
    child.kill(signal)
    await exited
  }
  return {
    name: program.name,
    pid,
    logFile: program.logFile,
    exited,
    running,
    signal: (name) => void child.kill(name),
    leave: () => unguard(pid),
    kill: () => end('SIGKILL'),
    stop: async (graceMs = GRACE_MS) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await end('SIGTERM')
      clearTimeout(timer)
    },
  }
}

/** Lines of a stack say where, and hide what was said before them. */
const STACK = /^(at |\.\.\. \d+ more)/

/** The last lines of a log in one, for an error message. */
export const tail = (logFile: string, lines = 3): string => {
  if (!existsSync(logFile)) return ''
  const written = readFileSync(logFile, 'utf8')
    .split('\n')
    .map((line) => line.trim())
  return written
    .filter((line) => line !== '' && !STACK.test(line))
    .slice(-lines)
    .join(' | ')
    .slice(-600)
}

/**
 * Waits until `probe` is true.
 * @throws MillraceError `services` with the end of the log when the process ends first or the deadline passes.
 */
export const awaitReady = async (
  process: ServiceProcess,
  probe: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> => {
  const deadline = Date.now() + timeoutMs
  let ended: string | undefined
  void process.exited.then((how) => {
    ended = how
  })
  while (!(await probe())) {
    if (ended === undefined && Date.now() < deadline) {
      await delay(20)
      continue
    }
    const what = ended === undefined ? `did not answer within ${timeoutMs / 1000} s` : `ended (${ended})`
    await process.stop()
    throw new MillraceError(
      'services',
      `${process.name} ${what}; its log ends: ${tail(process.logFile) || '(empty)'} (${process.logFile})`,
    )
  }
}
