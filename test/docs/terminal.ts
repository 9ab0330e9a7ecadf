/** A newcomer's shell: the packed Millrace in folders of its own, this test's Node, and nothing of the repository. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { pause } from '../../cluster/kafka/failures.ts'

/** What npm sets for its scripts would point a second npm at the repository. Whom this machine trusts stays. */
const foreign = /^(MILLRACE_|npm_|NODE_(?!EXTRA_CA_CERTS)|VITEST|NO_COLOR|FORCE_COLOR|INIT_CWD)/i

const cleanEnv = (): NodeJS.ProcessEnv => {
  const rest = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  const path = (process.env.PATH ?? '').split(delimiter).filter((part) => !part.includes('node_modules'))
  return {
    ...Object.fromEntries(rest),
    NO_COLOR: '1',
    PATH: [dirname(process.execPath), ...path].join(delimiter),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false',
  }
}

/** A command line that runs, in a process group of its own as a terminal would give it; what it says is kept. */
export class Line implements AsyncDisposable {
  readonly said: string[] = []
  readonly #child: ChildProcess
  readonly #ended: Promise<number | string>
  #heard = Promise.withResolvers<void>()

  constructor(line: string, cwd: string, env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn('sh', ['-c', line], {
      cwd,
      env: { ...cleanEnv(), ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', (text) => {
        this.said.push(text)
        this.#heard.resolve()
        this.#heard = Promise.withResolvers()
      })
    }
    // Closed means that whoever held the streams is gone, not the shell alone.
    this.#ended = once(this.#child, 'close').then(([code, signal]) => code ?? signal)
  }

  /** Exit code, or the signal's name. */
  get ended(): Promise<number | string> {
    return this.#ended
  }

  /** Resolves when a line fits. */
  async says(pattern: RegExp, deadlineMs: number): Promise<void> {
    const late = pause(deadlineMs).then(() => 'is late with')
    const ended = this.#ended.then(() => 'ended without')
    while (!this.said.some((line) => pattern.test(line))) {
      const why = await Promise.race([this.#heard.promise, late, ended])
      if (why !== undefined && !this.said.some((line) => pattern.test(line)))
        throw new Error(`it ${why} ${pattern}; it said:\n${this.said.join('\n')}`)
    }
  }

  /** Ctrl-C: the whole group hears it. */
  async interrupt(): Promise<number | string> {
    const { pid, exitCode, signalCode } = this.#child
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGINT')
    return this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.interrupt()
  }
}

/** Runs a line to its end. @throws Error with what it said, where it fails */
export const type = async (line: string, cwd: string, env: NodeJS.ProcessEnv = {}): Promise<string> => {
  const run = new Line(line, cwd, env)
  const code = await run.ended
  if (code !== 0) throw new Error(`${line} ended with ${code}:\n${run.said.join('\n')}`)
  return run.said.join('\n')
}
