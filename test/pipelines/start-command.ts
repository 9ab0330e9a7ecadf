/** The program in a process of its own, with nothing of this process's settings. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

const main = JSON.stringify(new URL('../../cli/main.ts', import.meta.url).href)
const script = `const { main } = await import(${main}); process.exitCode = await main(process.argv.slice(1))`
const env = { PATH: process.env.PATH ?? '', MILLRACE_OPTION_TOKEN_KEY: '0123456789abcdef' }

export const start = (args: readonly string[], more: Record<string, string> = {}) =>
  spawn(process.execPath, ['--input-type=module', '-e', script, '--', ...args], { env: { ...env, ...more } })

export const finished = async (child: ReturnType<typeof start>) => {
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve))
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exit])
  return { out, err, code }
}
