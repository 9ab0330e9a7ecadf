import { describe, expect, test } from 'vitest'
import type { Chunk } from '../../cluster/kafka/ports.ts'
import { type Runner, runChunk } from '../../workers/bisect.ts'
import { NO_OVERRIDES, type Task } from '../../workers/task.ts'
import { brokerBatch, record } from './support/batches.ts'
import { result } from './support/results.ts'

const RECORDS = 1000

const chunk = (): Chunk => {
  const bytes = brokerBatch(
    Array.from({ length: RECORDS }, () => record({ n: 1 })),
    { baseOffset: 0 },
  )
  const slice = { start: 0, end: bytes.length, baseOffset: 0, lastOffset: RECORDS - 1 }
  return {
    ...{
      partition: 0,
      from: 0,
      next: RECORDS,
      bytes,
      records: RECORDS,
      leaderEpoch: 0,
      lastStableOffset: RECORDS,
    },
    batches: [{ ...slice, records: RECORDS, maxTimestamp: 0 }],
  }
}

/** A pool whose threads die of what `dies` says: undefined, or the offset they were busy with. */
const run = async (dies: (task: Task) => { readonly at?: number } | undefined) => {
  const deaths: string[] = []
  const pool: Runner = {
    run: async (_, make) => {
      const task = make()
      const death = dies(task)
      if (death !== undefined) return { ok: false, cause: 'exit', ...death }
      return { ok: true, result: result({ done: task.to - task.from }) }
    },
  }
  const found = await runChunk(pool, {
    ...{ slot: 0, topic: 'in', chunk: chunk(), overrides: NO_OVERRIDES, outputMapping: 'same' },
    watermark: () => 0,
    died: (from, to) => deaths.push(`${from}-${to}`),
  })
  return { deaths, done: found.done }
}

const holds = (offset: number) => (task: Task) => task.from <= offset && offset < task.to
const isFaulty = (offset: number) => (task: Task) => task.overrides.faulty.has(offset)

describe('a thread that dies', () => {
  test('names the record it was busy with: one more death, of that record alone', async () => {
    const guilty = 700
    const { deaths, done } = await run((task) =>
      holds(guilty)(task) && !isFaulty(guilty)(task) ? { at: guilty } : undefined,
    )
    expect(deaths).toEqual(['0-1000', '700-701'])
    expect(done).toBe(RECORDS)
  })

  test('names none: halves, until the guilty one is alone', async () => {
    const { deaths, done } = await run((task) => (holds(700)(task) && !isFaulty(700)(task) ? {} : undefined))
    expect(deaths.length).toBeLessThanOrEqual(Math.ceil(Math.log2(RECORDS)) + 1)
    expect(done).toBe(RECORDS)
  })

  test('goes on dying of the record that it was told not to run, a few times: no harm done', async () => {
    let left = 6
    const { deaths, done } = await run((task) => (holds(700)(task) && left-- > 0 ? { at: 700 } : undefined))
    expect(deaths.slice(1)).toEqual(new Array(5).fill('700-701'))
    expect(done).toBe(RECORDS)
  })

  test.each([0.5, 0.9, 0.99])(
    'names the last of a batch of which %s would have been bearable: no death a record',
    async (share) => {
      const bearable = RECORDS * share
      const { deaths, done } = await run((task) =>
        task.to - task.from > bearable ? { at: task.to - 1 } : undefined,
      )
      expect(deaths.length).toBeLessThan(5)
      expect(done).toBe(RECORDS)
    },
  )
})
