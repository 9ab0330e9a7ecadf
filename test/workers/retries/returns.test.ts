import { beforeEach, expect, test } from 'vitest'
import type { Chunk } from '../../../cluster/kafka/ports.ts'
import { stateKey } from '../../../cluster/protocol/state.ts'
import { Judge } from '../../../workers/retries/judge.ts'
import { Returns } from '../../../workers/retries/returns.ts'
import { brokerBatch, chunkOf } from '../support/batches.ts'
import { result } from '../support/results.ts'
import { decodedOf, done, failed, message, parkedAt } from './support.ts'

const chunk = (from: number, ...messages: readonly ReturnType<typeof message>[]): Chunk =>
  chunkOf(
    0,
    from,
    brokerBatch(
      messages.map((one) => ({ timestamp: 0, ...one })),
      { baseOffset: from },
    ),
  )

let returns: Returns
beforeEach(() => {
  const judge = new Judge()
  const parked = [0, 1, 2].flatMap((offset) => [parkedAt(0, offset), parkedAt(4, offset)])
  judge.adopt(new Map(parked.map((one) => [stateKey.retry(one.partition, one.offset), one])))
  returns = new Returns({ bytes: 1000, ahead: 2 }, judge)
})

const finish = (entry: ReturnType<Returns['takeWaiting']>) => {
  if (entry === undefined) throw new Error('nothing waits')
  entry.state = 'ready'
  entry.result = result()
}

test('one entry a partition, its records in order; only the last moves the position', () => {
  const [a, b, c] = [message(4, 2, done('c/4/2')), message(0, 1, done('c/0/1')), message(4, 0, done('c/4/0'))]
  returns.push(chunk(10, a, b, c), 0)
  const [first, second] = [returns.takeWaiting(), returns.takeWaiting()]
  expect(first?.chunk).toMatchObject({ partition: 4, from: 0, next: 3, records: 2 })
  expect(first && decodedOf(first.chunk.bytes).map(({ offset }) => offset)).toEqual([0, 2])
  expect(first?.returned).toEqual({ settled: [0, 2], tried: [] })
  expect(second?.returned).toEqual({ next: 13, settled: [1], tried: [] })
})

test('nothing that counts: ready at once, for the position alone', () => {
  returns.push(chunk(5, message(0, 1, done('another/0/1'))), 4)
  expect(returns.takeWaiting()).toBeUndefined()
  expect(returns.ready(1e6)).toMatchObject([
    { chunk: { partition: 4 }, returned: { next: 6, settled: [], tried: [] } },
  ])
})

test('of several failures the last is noted, of one that was settled behind it none', () => {
  const messages = [
    message(0, 0, failed('c/0/0', 2)),
    message(0, 0, failed('c/0/0', 3)),
    message(0, 1, failed('c/0/1', 2)),
    message(0, 1, done('c/0/1', 3)),
  ]
  returns.push(chunk(0, ...messages), 0)
  const entry = returns.takeWaiting()
  expect(entry?.returned.settled).toEqual([1])
  expect(entry?.returned.tried).toMatchObject([{ offset: 0, attempts: 3 }])
})

test('first in, first out: what is ready waits for what came before it', () => {
  returns.push(chunk(0, message(0, 0, done('c/0/0'))), 0)
  returns.push(chunk(1, message(4, 0, done('c/4/0'))), 0)
  const [first, second] = [returns.takeWaiting(), returns.takeWaiting()]
  finish(second)
  expect(returns.ready(1e6)).toEqual([])
  finish(first)
  expect(returns.ready(1e6)).toEqual([first, second])
  expect(returns.ready(1)).toEqual([first])
  returns.remove(returns.ready(1e6))
  expect(returns.empty).toBe(true)
})

test('a few run ahead, and a full queue says so', () => {
  for (let at = 0; at < 3; at++) returns.push(chunk(at, message(0, at, done(`c/0/${at}`))), 0)
  expect([returns.takeWaiting(), returns.takeWaiting()].every((entry) => entry !== undefined)).toBe(true)
  expect([returns.takeWaiting(), returns.running, returns.full]).toEqual([undefined, 2, false])
  const large = { n: 'x'.repeat(1000) }
  returns.push(chunk(3, message(4, 0, done('c/4/0'), large)), 0)
  expect(returns.full).toBe(true)
})

test('a release keeps what has begun, up to the first that has not', () => {
  for (let at = 0; at < 3; at++) returns.push(chunk(at, message(0, at, done(`c/0/${at}`))), 0)
  const first = returns.takeWaiting()
  finish(first)
  returns.dropWaiting()
  expect(returns.ready(1e6)).toEqual([first])
  returns.remove(returns.ready(1e6))
  expect(returns.empty).toBe(true)
})
