/** Laws of what is read and not committed. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Progress, type Span } from '../../sinks/progress.ts'
import { chunkOf, recordOf } from './made.ts'

const steps = fc.array(
  fc.oneof(
    fc.record({ step: fc.constant('begin' as const), partition: fc.nat(2), records: fc.nat(3) }),
    fc.record({ step: fc.constant('settle' as const), which: fc.nat(50) }),
    fc.record({ step: fc.constant('commit' as const) }),
  ),
  { maxLength: 60 },
)

test('a position never passes an open record, and what is held falls only by a commit, to 0 in the end', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const progress = new Progress(new Map([0, 1, 2].map((partition) => [partition, 0])))
      const ends = [0, 0, 0]
      const open: Span[] = []
      let released = 0
      let begun = 0
      const commit = () => {
        const { positions } = progress.settled()
        for (const [partition, next] of positions)
          for (const { chunk } of open)
            if (chunk.partition === partition) expect(next).toBeLessThanOrEqual(chunk.from)
        progress.committed(positions)
      }
      for (const one of all) {
        const before = progress.held
        if (one.step === 'begin') {
          const from = ends[one.partition] ?? 0
          const values = Array.from({ length: one.records + 1 }, () => '{}')
          const span = progress.begin(chunkOf(one.partition, from, values, () => released++))
          ends[one.partition] = from + values.length
          span.opened()
          span.handedOn()
          open.push(span)
          begun++
        } else if (one.step === 'settle') open.splice(one.which % (open.length || 1), 1)[0]?.settled()
        else commit()
        if (one.step !== 'commit') expect(progress.held).toBeGreaterThanOrEqual(before)
      }
      for (const span of open.splice(0)) span.settled()
      commit()
      expect([progress.held, released]).toEqual([0, begun])
      expect([...progress.positions.values()]).toEqual(ends)
    }),
  )
})

test('a span that was not handed on whole is not committed, though nothing of it is under way', () => {
  const progress = new Progress(new Map([[0, 5]]))
  const span = progress.begin(chunkOf(0, 5, ['{}', '{}']))
  span.opened()
  span.settled()
  expect(progress.settled().positions.size).toBe(0)
  span.handedOn()
  expect(progress.settled().positions).toEqual(new Map([[0, 7]]))
})

test('rejections wait for the position that passes them, and come in the order of their records', () => {
  const progress = new Progress(new Map([[0, 0]]))
  const [first, second] = [progress.begin(chunkOf(0, 0, ['{}'])), progress.begin(chunkOf(0, 1, ['a', 'b']))]
  const rejected = (offset: number) => ({ record: recordOf(offset, 'x'), code: 'c', reason: 'r' })
  second.rejections.push(rejected(2), rejected(1))
  second.handedOn()
  expect(progress.settled().rejections).toEqual([])
  first.handedOn()
  expect(progress.settled().rejections.map(({ record }) => record.offset)).toEqual([1, 2])
})
