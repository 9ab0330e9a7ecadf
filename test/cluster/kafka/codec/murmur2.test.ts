import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2, murmur2Partition } from '../../../../cluster/kafka/codec/murmur2.ts'
import { kafkajsMurmur2 } from './kafkajs-codec.ts'

/** From UtilsTest of Apache Kafka. */
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what the Java client computes', (key, hash) => {
  expect(murmur2(Buffer.from(key), 0, key.length)).toBe(hash)
})

test('any slice hashes as in kafkajs, and goes to the same partition', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.nat(3),
      fc.integer({ min: 1, max: 5000 }),
      (bytes, before, n) => {
        const key = Buffer.from(bytes)
        const around = Buffer.concat([Buffer.alloc(before, 7), key, Buffer.alloc(5, 9)])
        const theirs = kafkajsMurmur2(key)
        expect(murmur2(around, before, before + key.length)).toBe(theirs)
        expect(murmur2Partition(around, before, before + key.length, n)).toBe((theirs & 0x7fffffff) % n)
      },
    ),
    { numRuns: 500 },
  )
})
