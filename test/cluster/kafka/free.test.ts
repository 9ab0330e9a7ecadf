import { expect, test } from 'vitest'
import { free, Shared } from '../../../cluster/kafka/free.ts'

const LARGE = 1 << 20

test('freed bytes have no memory left', () => {
  const bytes = Buffer.allocUnsafeSlow(LARGE)
  free(bytes.subarray(10, 20))
  expect(bytes.buffer.byteLength).toBe(0)
  free(bytes)
})

test('bytes of the pool that others use stay', () => {
  const [mine, others] = [Buffer.from('mine'), Buffer.from('others')]
  free(mine)
  expect([mine.toString(), others.toString()]).toEqual(['mine', 'others'])
})

test('a reply is freed by its last holder, not before', () => {
  const bytes = Buffer.allocUnsafeSlow(LARGE)
  const shared = new Shared(bytes.subarray(100))
  const holders = [shared.hold(), shared.hold()]
  shared.release()
  for (const release of holders) {
    expect(bytes.length).toBe(LARGE)
    release()
  }
  expect(bytes.length).toBe(0)
})

test('a reply that nobody holds is freed by who made it; none is fine as well', () => {
  const bytes = Buffer.allocUnsafeSlow(LARGE)
  new Shared(bytes).release()
  expect(bytes.length).toBe(0)
  new Shared(undefined).release()
})
