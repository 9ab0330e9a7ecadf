/** A redis-server of the test's own, on a free loopback port: for what needs settings of its own, a restart or a flush. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '../../cli/services/ports.ts'

export interface OwnRedis {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
}

export const startRedis = async (args: readonly string[] = [], port?: number): Promise<OwnRedis> => {
  const at = port ?? (await freePort())
  const child = spawn(
    'redis-server',
    ['--port', String(at), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ready = Promise.withResolvers<void>()
  let log = ''
  child.stdout.on('data', (chunk: Buffer) => {
    log += chunk.toString()
    if (log.includes('Ready to accept connections')) ready.resolve()
  })
  const exited = once(child, 'exit')
  void exited.then(() => ready.reject(new Error(`redis-server ended: ${log}`)))
  const killer = () => child.kill('SIGKILL')
  process.once('exit', killer)
  await ready.promise
  return {
    url: `redis://127.0.0.1:${at}`,
    port: at,
    async stop() {
      process.off('exit', killer)
      child.kill('SIGKILL')
      await exited
    },
  }
}
