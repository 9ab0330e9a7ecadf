import { expect, test } from 'vitest'
import { BatchTally } from '../../audit/batch-tally.ts'
import { RecordCursor } from '../../cluster/kafka/codec/decode.ts'
import { readHeader } from '../../cluster/kafka/codec/header.ts'
import { encodeBatch } from '../../cluster/kafka/codec/records.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'

interface Message {
  readonly name: string
  readonly at: number
  readonly partition?: number
  readonly pipeline?: string
}

const tallyOf = (messages: readonly Message[], stamped = false): BatchTally => {
  const tally = new BatchTally('mine', stamped)
  for (const { name, at, partition = 0, pipeline = 'mine' } of messages) {
    const headers = [
      [HEADER.pipeline, pipeline],
      [HEADER.batch, name],
    ] as const
    const bytes = Buffer.from(encodeBatch([{ timestamp: at, key: 'k', value: 'v', headers }])?.bytes ?? [])
    const header = readHeader(bytes, 0)
    if (header === undefined) throw new Error('no batch')
    const cursor = new RecordCursor()
    cursor.reset(bytes, header, 1 << 20)
    cursor.next()
    tally.take(partition, cursor)
  }
  return tally
}

const times = (tally: BatchTally, slot = 0) =>
  [...tally.batches(slot)].map(([number, batch]) => [number, batch.records, batch.times])

test('messages of one commit are one batch, also with those of other slots and pipelines between them', () => {
  const tally = tallyOf([
    { name: '0/0/50', at: 1 },
    { name: '1/0/50', at: 2 },
    { name: '0/0/50', at: 1 },
    { name: '0/7/50', at: 1, pipeline: 'yours' },
    { name: '0/1/20', at: 1 },
  ])
  expect(tally.slots()).toEqual([0, 1])
  expect([times(tally), times(tally, 1)]).toEqual([
    [
      [0, 50, 1],
      [1, 20, 1],
    ],
    [[0, 50, 1]],
  ])
})

test.each([
  ['another commit', { name: '0/0/50', at: 2 }],
  ['another partition', { name: '0/0/50', at: 1, partition: 1 }],
  ['other records', { name: '0/0/49', at: 1 }],
])('a batch comes again by %s', (_, again) => {
  expect(times(tallyOf([{ name: '0/0/50', at: 1 }, again]))).toEqual([[0, expect.any(Number), 2]])
})

test('a batch comes again behind the next one', () => {
  const messages = ['0/0/50', '0/1/50', '0/0/50'].map((name) => ({ name, at: 1 }))
  expect(times(tallyOf(messages))).toEqual([
    [0, 50, 2],
    [1, 50, 1],
  ])
})

test('times of the broker tell nothing of commits', () => {
  const messages = [1, 2].map((at) => ({ name: '0/0/50', at }))
  expect(times(tallyOf(messages, true))).toEqual([[0, 50, 1]])
})

test.each(['', '0/1', '0/-1/2', 'a/b/c'])('%j names no batch', (name) => {
  expect(tallyOf([{ name, at: 1 }]).slots()).toEqual([])
})
