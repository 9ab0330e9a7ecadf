import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equals, hourly, merge, total, tumbling, type Value } from '../../../pipelines/api/aggregates.ts'
import { type Folded, Folder } from '../../../pipelines/api/folder.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const now = 1_000 * DAY
const aggregates = {
  hourly: hourly.count(),
  byType: hourly.countBy('type'),
  minutely: tumbling(60_000, HOUR).count(),
  total: total.count(),
}

const shown = ({ windows }: Folded) => windows.map(({ aggregate, start, value }) => [aggregate, start, value])

test('one part per aggregate and window, with the window that holds the event time', () => {
  const folder = new Folder({ hourly: hourly.count(), total: total.count() }, { watermark: 0, now })
  for (const time of [0, HOUR - 1, HOUR, 7]) expect(folder.add({}, time)).toEqual([])
  expect(shown(folder.take())).toEqual([
    ['hourly', 0, 3],
    ['hourly', HOUR, 1],
    ['total', 0, 4],
  ])
})

test('a take begins anew', () => {
  const folder = new Folder(aggregates, { watermark: 0, now })
  folder.add({}, 5)
  expect(folder.take().latest).toBe(5)
  expect(folder.take()).toEqual({ windows: [], latest: -1 })
  folder.add({}, 3)
  expect(folder.take().latest).toBe(3)
})

test('a record of a window that ended its retention ago is left out of that aggregate and named', () => {
  const folder = new Folder(aggregates, { watermark: now, now })
  expect(folder.add({}, now - 50 * HOUR)).toEqual(['hourly', 'byType', 'minutely'])
  expect(folder.add({}, now - 2 * HOUR)).toEqual(['minutely'])
  expect(folder.add({}, now)).toEqual([])
  const { windows } = folder.take()
  expect(windows.filter(({ aggregate }) => aggregate === 'hourly')).toHaveLength(2)
  expect(windows.find(({ aggregate }) => aggregate === 'total')?.value).toBe(3)
})

test('the boundary of lateness: a window is closed from its end + retention on', () => {
  const late = (watermark: number) =>
    new Folder({ it: tumbling(100, 1000).count() }, { watermark, now }).add({}, 150).length > 0
  expect(late(1199)).toBe(false)
  expect(late(1200)).toBe(true)
})

test.each([
  ['negative', -1],
  ['no number', Number.NaN],
  ['infinite', Number.POSITIVE_INFINITY],
  ['more than a day ahead', now + DAY + HOUR],
])('an event time that is %s opens no window', (_, time) => {
  const folder = new Folder({ hourly: hourly.count(), total: total.count() }, { watermark: 0, now })
  expect(folder.add({}, time)).toEqual(['hourly'])
  expect(shown(folder.take())).toEqual([['total', 0, 1]])
})

test('an event time up to a day ahead is folded, whichever record came before', () => {
  const folder = new Folder({ hourly: hourly.count() }, { watermark: 0, now })
  expect(folder.add({}, now + DAY)).toEqual([])
  expect(folder.add({}, now + DAY + HOUR - 1)).toEqual([])
  expect(folder.add({}, now + DAY + HOUR)).toEqual(['hourly'])
})

const events = fc.array(
  fc.record({
    type: fc.constantFrom('a', 'b', '7'),
    time: fc.oneof(
      fc.integer({ min: now - 60 * HOUR, max: now + 2 * DAY }),
      fc.constantFrom(-5, Number.NaN, now),
    ),
  }),
  { maxLength: 80 },
)

const combined = (folds: readonly Folded[]): Map<string, Value> => {
  const sums = new Map<string, Value>()
  for (const { aggregate, start, value } of folds.flatMap(({ windows }) => windows)) {
    const key = `${aggregate}/${start}`
    const definition = aggregates[aggregate as keyof typeof aggregates]
    const before = sums.get(key)
    sums.set(key, before === undefined ? value : merge(definition, before, value))
  }
  return sums
}

test('a recount from the outputs and their late marks finds the same windows, however batches were cut', () => {
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 20 }), (some, size) => {
      const batches = Array.from({ length: Math.ceil(some.length / size) }, (_, i) =>
        some.slice(i * size, i * size + size),
      )
      const marks = new Map<object, readonly string[]>()
      const folds = batches.map((batch, i) => {
        const folder = new Folder(aggregates, { watermark: now - 10 * HOUR + i * HOUR, now })
        for (const event of batch) marks.set(event, folder.add({ type: event.type }, event.time))
        return folder.take()
      })
      const audit = new Folder(aggregates, { watermark: 0, now: 0 })
      for (const event of some.toReversed())
        audit.recount({ type: event.type }, event.time, marks.get(event) ?? [])
      const written = combined(folds)
      const recounted = combined([audit.take()])
      expect([...recounted.keys()].sort()).toEqual([...written.keys()].sort())
      for (const [key, value] of written) {
        const name = key.split('/')[0] as keyof typeof aggregates
        expect(equals(aggregates[name], recounted.get(key) ?? null, value), key).toBe(true)
      }
    }),
  )
})

test('a recount leaves out only the aggregates that were named, also where others share their windows', () => {
  const folder = new Folder(aggregates, { watermark: 0, now: 0 })
  folder.recount({ type: 'a' }, 5, ['hourly', 'minutely'])
  expect(folder.take().windows.map(({ aggregate, value }) => [aggregate, value])).toEqual([
    ['hourly', 0],
    ['byType', { labels: ['a'], counts: [1], other: 0 }],
    ['total', 1],
  ])
})
