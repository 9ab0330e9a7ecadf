/**
 * The simulation as a command; `node test/simulation/main.ts`:
 *
 *   --seeds 5000 [--from 1]      runs so many seeds; those that fail are printed with as few of their faults as fail as well
 *   --seed 7 [--only 0,2]        has one run again, with some of its faults, and tells its story
 *   --balance 3                  instead, so many calm clusters with Zipf keys: busiest worker beside the mean
 *   --break stale-plan           breaks a law first (breaks.ts), and ends at the first seed that finds it
 *
 * Ends with 1 where a seed failed.
 */
import { parseArgs } from 'node:util'
import { breakLaw } from './breaks.ts'
import type { Verdict } from './run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    only: { type: 'string' },
    balance: { type: 'string' },
    break: { type: 'string' },
  },
})
if (values.break !== undefined) breakLaw(values.break)
const { play } = await import('./run.ts')
const { textOf } = await import('./story.ts')
const { balanceOf } = await import('./balance.ts')

const print = (line: string) => process.stdout.write(`${line}\n`)
/** Of the machine: the simulation's own clock is none. */
const seconds = () => Number(process.hrtime.bigint()) / 1e9

/** Leaves out one fault after the other, as long as the run fails without it. */
const fewest = async (seed: number, faults: number): Promise<readonly number[]> => {
  let only = Array.from({ length: faults }, (_, at) => at)
  for (const at of [...only]) {
    const fewer = only.filter((one) => one !== at)
    if ((await play(seed, fewer)).wrong.length > 0) only = fewer
  }
  return only
}

const tellFailure = async (seed: number, { wrong, story }: Verdict): Promise<void> => {
  print(`seed ${seed} FAILED: ${wrong.join('\n  ')}`)
  if (values.break !== undefined) return
  const only = await fewest(seed, story.faults.length)
  print(
    `fails with these of its faults: node test/simulation/main.ts --seed ${seed} --only ${only.join(',')}`,
  )
  for (const at of only) {
    const fault = story.faults[at]
    if (fault !== undefined) print(textOf(fault, at))
  }
}

const one = async (seed: number, only: readonly number[] | undefined): Promise<number> => {
  const verdict = await play(seed, only)
  for (const line of verdict.told) print(line)
  print(`seed ${seed}: ${verdict.wrong.join('\n  ') || 'ok'}`)
  return verdict.wrong.length > 0 ? 1 : 0
}

const many = async (from: number, count: number): Promise<number> => {
  const began = seconds()
  const sums = new Map<string, number>()
  let failed = 0
  let seed = from
  for (; seed < from + count; seed++) {
    const verdict = await play(seed)
    for (const [name, times] of verdict.counts) sums.set(name, (sums.get(name) ?? 0) + times)
    if (verdict.wrong.length === 0) continue
    failed++
    await tellFailure(seed, verdict)
    if (values.break !== undefined) break
  }
  const ran = Math.min(count, seed - from + 1)
  print(`happened: ${JSON.stringify(Object.fromEntries([...sums].sort()))}`)
  print(`${ran} seeds from ${from}, ${failed} failed, ${(seconds() - began).toFixed(1)} s`)
  return failed > 0 ? 1 : 0
}

/** But for a slot that alone is more: it cannot be shared. */
const MOST_UNEVEN = 1.2

const balance = async (from: number, count: number): Promise<number> => {
  let failed = 0
  for (let seed = from; seed < from + count; seed++) {
    const { first, settled, dearest, wrong } = await balanceOf(seed)
    const isUneven = settled > Math.max(MOST_UNEVEN, dearest)
    if (isUneven || wrong.length > 0) failed++
    const said = `busiest / mean ${first.toFixed(2)} at first, ${settled.toFixed(2)} settled`
    print(
      `seed ${seed}: ${said}; the dearest slot is ${dearest.toFixed(2)} of a worker ${wrong.join('\n  ')}`,
    )
  }
  print(`${count} clusters, ${failed} uneven or wrong`)
  return failed > 0 ? 1 : 0
}

const only = values.only?.split(',').filter(Boolean).map(Number)
const from = Number(values.from)
if (values.balance !== undefined) process.exitCode = await balance(from, Number(values.balance))
else if (values.seed !== undefined) process.exitCode = await one(Number(values.seed), only)
else process.exitCode = await many(from, Number(values.seeds))
