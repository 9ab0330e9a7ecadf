/** Runs the program as a user does, in a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../cli/millrace.mjs', import.meta.url))
/** A folder without local services, so that only what a test names is found. */
const NOWHERE = '/nonexistent/millrace'

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type Env = Readonly<Record<string, string>>

type Started = ChildProcessWithoutNullStreams & { readonly run: Promise<Run> }

export const start = (args: readonly string[], env: Env = {}): Started => {
  const clean = Object.entries(process.env).filter(
    ([name]) => !/^(MILLRACE_|NO_COLOR|FORCE_COLOR)/.test(name),
  )
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...Object.fromEntries(clean), MILLRACE_DATA_DIR: NOWHERE, ...env },
    stdio: 'pipe',
  })
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const run = new Promise<Run>((resolve) =>
    child.once('close', (code) => resolve({ code, stdout: stdout(), stderr: stderr() })),
  )
  return Object.assign(child, { run })
}

/** Also of a stream that the test destroys. */
const collect = (stream: Readable): (() => string) => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}

export const millrace = (
  args: readonly string[],
  options: { readonly env?: Env; readonly stdin?: string | Buffer } = {},
): Promise<Run> => {
  const child = start(args, options.env)
  child.stdin.end(options.stdin ?? '')
  return child.run
}
