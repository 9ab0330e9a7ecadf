import { expect, test } from 'vitest'
import { verifyCrc } from '../../../../cluster/kafka/codec/decode.ts'
import { readHeader } from '../../../../cluster/kafka/codec/header.ts'
import { encodeBatch } from '../../../../cluster/kafka/codec/records.ts'
import { stamp } from '../../../../cluster/kafka/codec/stamp.ts'

test('a stamp changes the producer and the checksum, wherever the batch lies in its buffer, and can be renewed', () => {
  const batch = encodeBatch([{ timestamp: 3, key: 'k', value: 'v' }])
  if (batch === undefined) throw new Error('a batch was expected')
  const around = Buffer.alloc(batch.bytes.byteLength + 20, 0xee)
  around.set(batch.bytes, 10)
  const inside = around.subarray(10, 10 + batch.bytes.byteLength)
  for (const [id, epoch, sequence] of [
    [2 ** 40, 5, 2 ** 31 - 1],
    [0, 32_767, 0],
  ] as const) {
    stamp(inside, id, epoch, sequence)
    const header = readHeader(around, 10)
    expect(header).toMatchObject({ producerId: id, producerEpoch: epoch, baseSequence: sequence, count: 1 })
    expect(header !== undefined && verifyCrc(around, header)).toBe(true)
  }
  expect([...around.subarray(0, 10), ...around.subarray(-10)]).toEqual(Array(20).fill(0xee))
})
