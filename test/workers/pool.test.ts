import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Pool } from '../../workers/pool.ts'
import { fatesOf } from './support/task-world.ts'
import { poolOf, runValues, taskOfOne } from './support/threads.ts'

const OK = { n: 1 }
const fates = async (pool: Pool, ...values: readonly unknown[]) => {
  const { result, deaths } = await runValues(pool, values)
  return { fates: fatesOf(result).map(({ fate }) => fate), deaths, result }
}
const rejections: unknown[] = []
const note = (error: unknown) => rejections.push(error)
beforeEach(() => process.on('unhandledRejection', note))
afterEach(() => {
  process.off('unhandledRejection', note)
  expect(rejections).toEqual([])
})

describe('a record that kills its thread', () => {
  const pool = poolOf('deadly', { taskTimeout: 800 })
  afterAll(() => pool.close())

  test('nothing happens: all is output, the thread stays', async () => {
    expect(await fates(pool, OK, OK)).toMatchObject({ fates: ['output', 'output'], deaths: [] })
  })

  test('throwing is no death: the pipeline answers for it', async () => {
    expect(await fates(pool, OK, { do: 'throw' }, OK)).toMatchObject({
      fates: ['output', 'parked process-threw', 'output'],
      deaths: [],
    })
  })

  test.each([
    ['exit', 'exit'],
    ['loop', 'timeout'],
    ['hang', 'timeout'],
    ['throw later', 'error'],
  ])('%s: it alone is tried again later, its neighbours keep their results', async (deed, cause) => {
    const found = await fates(pool, OK, OK, { do: deed }, OK)
    expect(found.fates).toEqual(['output', 'output', `parked thread-${cause}`, 'output'])
    // The thread tells what it was busy with: one death in the batch, one alone.
    expect(found.deaths).toEqual([
      { range: '0-4', cause },
      { range: '2-3', cause },
    ])
    expect(found.result).toMatchObject({ done: 3, dead: 0 })
    const counted = found.result.folded.windows.reduce((sum, { value }) => sum + Number(value), 0)
    expect(counted).toBe(3)
    // Capacity is back.
    expect(await fates(pool, OK)).toMatchObject({ fates: ['output'], deaths: [] })
    expect([pool.busy, pool.queued]).toEqual([0, 0])
  })

  test('exhausting its memory ends the thread, not the process', async () => {
    const small = poolOf('deadly', { heapMb: 64 })
    const found = await fates(small, OK, { do: 'hoard' }, OK)
    expect(found.fates).toEqual(['output', 'parked thread-out-of-memory', 'output'])
    await small.close()
  })

  test('alone in its batch it runs twice before it is blamed', async () => {
    const found = await fates(pool, { do: 'exit' })
    expect(found).toMatchObject({
      fates: ['parked thread-exit'],
      deaths: [{ range: '0-1' }, { range: '0-1' }],
    })
  })

  test('several guilty ones are found one by one', async () => {
    const found = await fates(pool, { do: 'exit' }, OK, OK, { do: 'exit' })
    expect(found.fates).toEqual(['parked thread-exit', 'output', 'output', 'parked thread-exit'])
  })
})

describe('whose turn it is', () => {
  test('shards take turns: a long queue of one does not starve another', async () => {
    const pool = poolOf('deadly')
    const order: string[] = []
    const run = (slot: number, name: string) =>
      pool.run(slot, () => taskOfOne(OK)).then(() => order.push(name))
    const all = [0, 1, 2, 3, 4, 5].map((n) => run(0, `a${n}`))
    all.push(run(1, 'b0'), run(1, 'b1'), run(2, 'c0'))
    await Promise.all(all)
    expect(order).toEqual(['a0', 'a1', 'b0', 'c0', 'a2', 'b1', 'a3', 'a4', 'a5'])
    await pool.close()
  })

  test('a task is made when a thread is free, not before: waiting holds no copy', async () => {
    const pool = poolOf('deadly')
    let made = 0
    const make = () => {
      made++
      return taskOfOne(OK)
    }
    const all = [pool.run(0, make), pool.run(0, make), pool.run(1, make)]
    expect([made, pool.busy, pool.queued]).toEqual([1, 1, 2])
    await Promise.all(all)
    expect([made, pool.busy, pool.queued]).toEqual([3, 0, 0])
    await pool.close()
  })

  test('a task that cannot be made ends as an outcome, and its place is free again', async () => {
    const pool = poolOf('deadly')
    const broken = pool.run(0, () => {
      throw new RangeError('Array buffer allocation failed')
    })
    expect(await broken).toEqual({ ok: false, cause: 'error' })
    expect(pool.busy).toBe(0)
    expect((await pool.run(0, () => taskOfOne(OK))).ok).toBe(true)
    await pool.close()
  })
})

describe('the time limit', () => {
  test('counts running, not waiting for a turn', async () => {
    const pool = poolOf('deadly', { taskTimeout: 1500 })
    const nap = () => taskOfOne({ do: 'sleep', ms: 600 })
    const all = await Promise.all([1, 2, 3, 4].map(() => pool.run(0, nap)))
    expect(all.map(({ ok }) => ok)).toEqual([true, true, true, true])
    await pool.close()
  })

  test('does not count what a new thread needs to start: no innocent record is blamed for it', async () => {
    const pool = poolOf('slow-start', { taskTimeout: 600 })
    expect(await fates(pool, OK, OK)).toMatchObject({ fates: ['output', 'output'], deaths: [] })
    // The same for the thread that takes the place of a dead one.
    const found = await fates(pool, { do: 'exit' }, OK)
    expect(found.fates).toEqual(['parked thread-exit', 'output'])
    expect(found.deaths.map(({ cause }) => cause)).toEqual(['exit', 'exit'])
    await pool.close()
  })

  test('does not count the time in which the whole process stood still', async () => {
    const pool = poolOf('deadly', { taskTimeout: 1000 })
    expect((await pool.run(0, () => taskOfOne(OK))).ok).toBe(true)
    // A frozen process freezes its threads too; here the thread goes on instead, past the end of the freeze.
    const nap = pool.run(0, () => taskOfOne({ do: 'sleep', ms: 3000 }))
    const until = performance.now() + 2600
    while (performance.now() < until);
    expect((await nap).ok).toBe(true)
    await pool.close()
  })
})

describe('closing', () => {
  const workerPorts = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length

  test('ends what runs and what waits as `closed`: nobody is blamed, nothing is left', async () => {
    const before = workerPorts()
    const pool = poolOf('deadly', { threads: 2 })
    await pool.run(0, () => taskOfOne(OK))
    const deaths: unknown[] = []
    const running = runValues(pool, [OK, { do: 'hang' }, OK])
    const waiting = [1, 2, 3].map((slot) => pool.run(slot, () => taskOfOne({ do: 'hang' })))
    const ended = Promise.allSettled([running, ...waiting])
    await pool.close()
    const [first, ...others] = await ended
    expect(first).toMatchObject({
      status: 'rejected',
      reason: { message: 'offsets 0 to 2 were not run: closed' },
    })
    for (const other of others) expect(other).toMatchObject({ value: { ok: false, cause: 'closed' } })
    expect(await pool.run(0, () => taskOfOne(OK))).toEqual({ ok: false, cause: 'closed' })
    expect(deaths).toEqual([])
    expect([pool.busy, pool.queued]).toEqual([0, 0])
    expect(workerPorts()).toBeLessThanOrEqual(before)
  })
})

test('a pipeline that cannot be set up is told at once, with its own words, and no record is blamed', async () => {
  const pool = poolOf('unready')
  await expect(runValues(pool, [OK, OK])).rejects.toMatchObject({
    code: 'pipeline-load',
    message: expect.stringContaining('the database is not there'),
  })
  await pool.close()
})
