/** The near end of the watchdog: one per starting process, made with the first thing to guard. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Not `.ts`: Node refuses those in an installed package, and the compiler does not rewrite this URL. */
const program = fileURLToPath(new URL('./watchdog.mjs', import.meta.url))

type Order =
  | { readonly add: number }
  | { readonly drop: number }
  | { readonly atEnd: readonly [string, ...string[]] }

let watchdog: ChildProcess | undefined

const started = (): ChildProcess => {
  if (watchdog?.exitCode === null && watchdog.signalCode === null) return watchdog
  watchdog = spawn(process.execPath, [program], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  watchdog.stdin?.on('error', () => {}) // It was killed: the next order starts another one.
  watchdog.unref()
  return watchdog
}

/** Resolves when the watchdog's pipe has it: from then on it holds, whatever becomes of us. */
const order = (value: Order): Promise<void> =>
  new Promise((resolve) => {
    started().stdin?.write(`${JSON.stringify(value)}\n`, () => resolve())
  })

/** Undefined while nothing is guarded. */
export const watchdogPid = (): number | undefined => watchdog?.pid

/** From now on the process ends when this one does. */
export const guard = (pid: number): Promise<void> => order({ add: pid })
export const unguard = (pid: number): Promise<void> => order({ drop: pid })
/** A command that runs when this process ends, for what is no child of ours. */
export const guardWith = (command: readonly [string, ...string[]]): Promise<void> => order({ atEnd: command })
