import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../../workers/pool.ts'
import { Batcher, NotRun } from '../../../workers/retries/batcher.ts'
import type { ParkedOutcome, ParkedTask } from '../../../workers/retries/run-parked.ts'

type Answer = (task: ParkedTask) => Outcome<readonly ParkedOutcome[]>
const DONE: ParkedOutcome = { outcome: 'done', json: '{}' }
const allDone: Answer = ({ runs }) => ({ ok: true, result: runs.map(() => DONE) })

const batcherOf = (answer: Answer) => {
  const tasks: ParkedTask[] = []
  const gate = Promise.withResolvers<void>()
  const runParked = async (_owner: number, make: () => ParkedTask) => {
    const task = make()
    tasks.push(task)
    await gate.promise
    return answer(task)
  }
  return { batcher: new Batcher({ runParked }, 'in', 3), tasks, open: () => gate.resolve() }
}
const request = (partition: number, bytes = 3) => ({
  partition,
  attempt: 2,
  record: new Uint8Array(bytes).fill(partition),
})

describe('runs of parked records', () => {
  test('those that come together go together, one task at a time', async () => {
    const { batcher, tasks, open } = batcherOf(allDone)
    const first = [batcher.run(request(1)), batcher.run(request(2))]
    await Promise.resolve()
    const second = [batcher.run(request(3)), batcher.run(request(4))]
    expect(tasks.length).toBe(1)
    open()
    expect(await Promise.all([...first, ...second])).toEqual([DONE, DONE, DONE, DONE])
    expect(tasks.map(({ runs }) => runs.map(({ partition }) => partition))).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect([...new Uint8Array(tasks[0]?.bytes ?? new ArrayBuffer())]).toEqual([1, 1, 1, 2, 2, 2])
  })

  test('no more than run at once share the time of a task', async () => {
    const { batcher, tasks, open } = batcherOf(allDone)
    open()
    await Promise.all([1, 2, 3, 4].map((partition) => batcher.run(request(partition))))
    expect(tasks.map(({ runs }) => runs.length)).toEqual([3, 1])
  })

  test('a task is bounded in bytes, but one record always fits', async () => {
    const { batcher, tasks, open } = batcherOf(allDone)
    open()
    const large = 5 * 1024 ** 2
    await Promise.all([batcher.run(request(1, large)), batcher.run(request(2)), batcher.run(request(3))])
    expect(tasks.map(({ runs }) => runs.length)).toEqual([1, 2])
  })

  test('where a thread dies each runs alone, and the guilty one has failed with the cause', async () => {
    const { batcher, tasks, open } = batcherOf((task) =>
      task.runs.some(({ partition }) => partition === 2) ? { ok: false, cause: 'timeout' } : allDone(task),
    )
    open()
    expect(await Promise.all([1, 2, 3].map((partition) => batcher.run(request(partition))))).toEqual([
      DONE,
      { outcome: 'retry', code: 'thread-timeout', message: '' },
      DONE,
    ])
    expect(tasks.map(({ runs }) => runs.length)).toEqual([3, 1, 1, 1])
  })

  test.each(['closed', 'not-started', 'broken'])(
    '%s: nobody ran it, and nobody is to blame',
    async (cause) => {
      const { batcher, open } = batcherOf(() => ({ ok: false, cause }))
      open()
      await expect(batcher.run(request(1))).rejects.toThrow(NotRun)
    },
  )

  test('stopped: what waits is not run, what runs ends', async () => {
    const { batcher, open } = batcherOf(allDone)
    const runs = batcher.run(request(1))
    await Promise.resolve()
    const waits = batcher.run(request(2))
    batcher.stop()
    await expect(waits).rejects.toThrow(NotRun)
    open()
    expect(await runs).toEqual(DONE)
  })
})
