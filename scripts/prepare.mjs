/**
 * Makes the tools of test grounds ready, one after the other and at low priority, so that long builds overlap with tests that wait.
 * Two halves: `prepare` is the caller's, what it forks is this file as a program, which tells over IPC what became of each.
 */
import { fork } from 'node:child_process'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(import.meta.url)
const TABLE = new URL('./grounds.mjs', import.meta.url).href
const NICE = 10

/**
 * Starts at once, in the order given. `ready(ground)` resolves with undefined where all its tools are there, else with why not;
 * what the set-up prints is kept until somebody waits for it.
 * @param table URL of the module that exports them as `grounds`
 */
export const prepare = (grounds, print, table = TABLE) => {
  const names = grounds.map(({ name }) => name)
  if (names.length === 0) return { ready: async () => undefined }
  const results = new Map(names.map((name) => [name, Promise.withResolvers()]))
  const child = fork(file, [table, ...names], { execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let kept = ''
  let awaited = false
  const hear = (text) => {
    if (awaited) print(text)
    else kept += text
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear)
  // What was printed before it is readable in the same turn of the loop, and shown first.
  child.on('message', ({ name, lack }) => setImmediate(() => results.get(name).resolve(lack)))
  const ended = (how) => {
    for (const { resolve } of results.values()) resolve(`the set-up ended by itself (${how})`)
  }
  child.on('close', (code, signal) => setImmediate(ended, signal ?? code))
  const ready = async ({ name }) => {
    awaited = true
    print(kept)
    kept = ''
    const lack = await results.get(name).promise
    awaited = false
    return lack
  }
  return { ready }
}

/** Undefined where all tools are there (now), else why not, in one line. */
const lackOf = async ({ ensure }) => {
  try {
    await ensure()
    return undefined
  } catch (error) {
    return [error.message, error.remedy].filter(Boolean).join('; ')
  }
}

const main = async ([table, ...names]) => {
  const { grounds } = await import(table)
  setPriority(NICE)
  process.on('disconnect', () => process.exit(1))
  for (const name of names) {
    const lack = await lackOf(grounds.find((ground) => ground.name === name))
    await new Promise((sent) => process.send({ name, lack }, sent))
  }
  process.disconnect()
}

if (process.argv[1] === file) await main(process.argv.slice(2))
