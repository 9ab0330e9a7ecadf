import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ReplyAssembler } from '../../../cluster/kafka/reply-socket.ts'

const framed = (payload: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(4 + payload.length)
  bytes.writeInt32BE(payload.length)
  bytes.set(payload, 4)
  return bytes
}

/** Fills whatever room there is, at most `most` bytes a time, as a socket does. */
const pour = (assembler: ReplyAssembler, stream: Buffer, most: () => number): void => {
  for (let at = 0; at < stream.length; ) {
    const room = assembler.room()
    const bytes = Math.min(room.length, most(), stream.length - at)
    stream.copy(room, 0, at, at + bytes)
    assembler.filled(bytes)
    at += bytes
  }
}

const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(70_000), fc.integer({ min: 60_000, max: 200_000 })), {
  maxLength: 8,
})

test('whole replies come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(sizes, fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 }), (lengths, cuts) => {
      const replies = lengths.map((length, i) => framed(Buffer.alloc(length, i + 1)))
      const found: Buffer[] = []
      let turn = 0
      pour(new ReplyAssembler((reply) => found.push(reply)), Buffer.concat(replies), () => {
        turn++
        return cuts[turn % cuts.length] ?? 1
      })
      expect(found.length).toBe(replies.length)
      expect(found.every((reply, i) => replies[i]?.equals(reply))).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('a reply has its bytes to itself: later ones never change it', () => {
  const found: Buffer[] = []
  const assembler = new ReplyAssembler((reply) => found.push(reply))
  const stream = Buffer.concat([framed(Buffer.from('first')), framed(Buffer.from('second'))])
  pour(assembler, stream, () => stream.length)
  pour(assembler, stream, () => stream.length)
  expect(new Set(found.map((reply) => reply.buffer)).size).toBe(4)
  expect(found.map((reply) => reply.subarray(4).toString())).toEqual(['first', 'second', 'first', 'second'])
})

test.each([-1, -(2 ** 31), 2 ** 31 - 1])('a size of %d is refused', (size) => {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32BE(size)
  const assembler = new ReplyAssembler(() => undefined)
  expect(() => pour(assembler, bytes, () => 8)).toThrow(RangeError)
})
