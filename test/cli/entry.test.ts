/** cli/millrace.mjs: on a Node that is too old it hands over to the project's own, and nobody notices; compiled code is kept. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../cli/services/run.ts'

const program = join(import.meta.dirname, '../../cli/millrace.mjs')
/** Makes this Node look old; the one it hands over to gets no such option. */
const old = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.9.0"})'

const startOld = (args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, ['--import', old, program, ...args], {
    // Under npm the command would watch its parent as well.
    env: { ...process.env, npm_command: undefined, ...env },
    stdio: 'pipe',
  })

const one = JSON.stringify({ timestamp: 'x' })

/** A command that waits for a Kafka that never comes, and has begun to. */
const startWaiting = async (): Promise<ChildProcessWithoutNullStreams> => {
  const nowhere = { MILLRACE_KAFKA_BROKERS: '127.0.0.1:1', MILLRACE_START_TIMEOUT: '5m' }
  const child = startOld(['tail', 'topic'], nowhere)
  await once(child.stderr, 'data')
  return child
}

test('output and exit code are those of the command', async () => {
  const good = startOld(['--version'])
  const [version, [code]] = await Promise.all([text(good.stdout), once(good, 'exit')])
  expect(version).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect(code).toBe(0)
  const bad = startOld(['no-such-command'])
  const [said, [exit]] = await Promise.all([text(bad.stderr), once(bad, 'exit')])
  expect(said).toContain('no-such-command')
  expect(exit).toBe(2)
})

test('standard input reaches the command', async () => {
  const child = startOld(['dry-run', 'bench-login'])
  child.stdin.end(`${one}\n`)
  expect(JSON.parse(await text(child.stdout))).toMatchObject({ outcome: 'dead' })
})

test('a signal reaches the command, and the exit code tells of it', async () => {
  const child = await startWaiting()
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  expect(code).toBe(128 + 15)
})

test('killed without a word, it leaves no command behind', async () => {
  const child = await startWaiting()
  child.kill('SIGKILL')
  // The command holds the same pipe: its end means that both are gone.
  await once(child.stderr.resume(), 'close')
})

test('npm may die of a signal without passing it on: the command ends all the same', async () => {
  const nowhere = {
    MILLRACE_KAFKA_BROKERS: '127.0.0.1:1',
    MILLRACE_START_TIMEOUT: '5m',
    npm_command: 'run-script',
  }
  // The shell stands for npm: it is the parent, and dies alone.
  const shell = spawn('sh', ['-c', `"${process.execPath}" "${program}" tail topic; true`], {
    env: { ...process.env, ...nowhere },
    stdio: 'pipe',
  })
  await once(shell.stderr, 'data')
  shell.kill('SIGKILL')
  await once(shell.stderr.resume(), 'close')
})

test('what is compiled is kept for the next start, and where nothing can be written it starts all the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-compiled-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const version = (TMPDIR: string) =>
    run(process.execPath, [program, '--version'], { env: { TMPDIR, NODE_COMPILE_CACHE: undefined } })
  expect(await version(folder)).toMatchObject({ code: 0, stderr: '' })
  const [cache = ''] = readdirSync(join(folder, 'node-compile-cache'))
  expect(readdirSync(join(folder, 'node-compile-cache', cache)).length).toBeGreaterThan(10)
  expect(await version(program), 'no folder').toMatchObject({ code: 0, stderr: '' })
})
