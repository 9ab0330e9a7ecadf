import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chunksOf, lineGroups } from '../../cli/lines.ts'

const linesOf = async (chunks: readonly Uint8Array[]): Promise<Buffer[]> => {
  const lines: Buffer[] = []
  const stream = async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk)
  }
  for await (const group of lineGroups(stream())) lines.push(...group)
  return lines
}

test('however a stream is cut, its lines are the same and nothing is lost', () => {
  const byte = fc.oneof(fc.constant(0x0a), fc.nat(255))
  const chunk = fc.array(byte, { maxLength: 12 }).map((bytes) => Uint8Array.from(bytes))
  return fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), async (chunks) => {
      const whole = Buffer.concat(chunks)
      const lines = await linesOf(chunks)
      expect(lines).toEqual(await linesOf([whole]))
      const joined = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))
      expect(joined.subarray(0, whole.length)).toEqual(whole)
      expect(joined.length - whole.length).toBeLessThanOrEqual(1)
    }),
  )
})

test('a line is there as soon as it is complete', async () => {
  const stream = async function* () {
    yield Buffer.from('one\ntw')
    yield Buffer.from('o\n')
  }
  const groups = lineGroups(stream())
  expect((await groups.next()).value).toEqual([Buffer.from('one')])
  expect((await groups.next()).value).toEqual([Buffer.from('two')])
})

test('chunks keep the order and their bound', () =>
  expect([...chunksOf([1, 2, 3, 4, 5], 2)]).toEqual([[1, 2], [3, 4], [5]]))
