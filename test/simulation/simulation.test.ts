/**
 * A whole cluster on virtual time, by the seed: the short form of `node test/simulation/main.ts --seeds 5000`. It runs in
 * processes of its own, whose clocks and timers it replaces.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { breaks } from './breaks.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

interface Ran {
  readonly code: number
  readonly said: string
}

const simulate = (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, [main, ...args], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code
      if (typeof code === 'number') resolve({ code, said: stdout + stderr })
      else reject(error)
    })
  })

const PATIENT = { timeout: 900_000 }
const SEEDS = 100

/** What has to have happened in a run of many seeds, or it proves nothing. */
const HAPPENED = [
  ...['claimed', 'committed', 'deposed', 'fenced', 'leading', 'released', 'reopened', 'threadDied'],
  ...['lost', 'late', 'twice', 'parked', 'fate done', 'fate dead', 'fate dropped', 'viewsFailed'],
  ...['FAULT kill worker', 'FAULT freeze worker', 'FAULT freeze coordinator', 'FAULT two leaders'],
  ...[
    'FAULT Redis flushed',
    'FAULT input grows',
    'FAULT cut worker from Redis',
    'FAULT cut worker from Kafka',
  ],
  ...['ORDER pause', 'ORDER drain', 'ORDER pin', 'ORDER move', 'obeyed'],
]

const happenedIn = ({ said }: Ran): Readonly<Record<string, number>> =>
  JSON.parse(/^happened: (.*)$/m.exec(said)?.[1] ?? '{}')

describe('a simulated cluster', () => {
  test(
    'whatever happens, every record has one fate, every slot runs again, and the views are right',
    PATIENT,
    async () => {
      const halves = await Promise.all(
        [1, 1 + SEEDS].map((from) => simulate('--seeds', `${SEEDS}`, '--from', `${from}`)),
      )
      for (const half of halves) expect(half.code, half.said).toBe(0)
      for (const { said } of halves) console.info(said.trim().split('\n').at(-1))
      const [first = {}, second = {}] = halves.map(happenedIn)
      const missed = HAPPENED.filter((name) => (first[name] ?? 0) + (second[name] ?? 0) === 0)
      expect(missed, 'what has to have happened').toEqual([])
    },
  )

  test('the same seed is the same run, event by event', PATIENT, async () => {
    const [once, again] = await Promise.all([simulate('--seed', '7'), simulate('--seed', '7')])
    expect(once.said.split('\n').length).toBeGreaterThan(10)
    expect(again).toEqual(once)
  })

  test(
    'Zipf keys that cost up to threefold: busiest / mean <= 1.2 once the plan has settled',
    PATIENT,
    async () => {
      const { code, said } = await simulate('--balance', '1', '--from', '3')
      console.info(said.trim())
      expect(code, said).toBe(0)
    },
  )

  test.each(Object.entries(breaks))('it finds a broken law: %s', PATIENT, async (name, { seed }) => {
    const { code, said } = await simulate('--break', name, '--from', `${seed}`, '--seeds', '150')
    expect(said).toMatch(/^seed \d+ FAILED: /m)
    expect(code).toBe(1)
  })
})
