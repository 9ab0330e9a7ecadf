import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareTables, openFrom, tableOf, type WindowEntry } from '../../audit/window-table.ts'
import { type Aggregates, cellOf, total, tumbling } from '../../pipelines/api/aggregates.ts'

const SIZE = 1000
const RETENTION = 5000
const windowed = tumbling(SIZE, RETENTION)
const aggregates: Aggregates = {
  all: total.count(),
  records: windowed.count(),
  kinds: windowed.countBy('kind'),
  kindsSeen: windowed.distinct('kind'),
}

const entry = (aggregate: string, start: number, kinds: readonly string[]): WindowEntry => {
  const definition = aggregates[aggregate]
  if (definition === undefined) throw new Error(`no aggregate ${aggregate}`)
  const cell = cellOf(definition)
  for (const kind of kinds) cell.add({ kind })
  return { aggregate, start, value: cell.value() }
}

const compare = (
  expected: readonly WindowEntry[],
  found: readonly WindowEntry[],
  more: { watermark?: number; except?: ReadonlySet<string> } = {},
) =>
  compareTables({
    where: 'redis',
    slot: 3,
    watermark: 0,
    except: new Set(),
    aggregates,
    expected: tableOf(expected),
    found: tableOf(found),
    ...more,
  })

describe('windows of two sources', () => {
  test('differ nowhere where they are equal, whatever the order of labels', () => {
    const a = [entry('kinds', 0, ['x', 'y', 'x']), entry('all', 0, ['x']), entry('kindsSeen', 0, ['x'])]
    const b = [entry('kindsSeen', 0, ['x']), entry('all', 0, ['x']), entry('kinds', 0, ['y', 'x', 'x'])]
    expect(compare(a, b)).toEqual([])
  })

  test('are named where one differs, with what differs only', () => {
    const [mismatch] = compare([entry('kinds', 2000, ['x', 'y', 'y'])], [entry('kinds', 2000, ['x', 'y'])])
    expect(mismatch).toEqual({
      where: 'redis',
      aggregate: 'kinds',
      slot: 3,
      window: '1970-01-01T00:00:02.000Z',
      expected: { y: 2 },
      found: { y: 1 },
    })
  })

  test('are named where one is missing, surplus or unreadable', () => {
    const one = entry('records', 1000, ['x'])
    expect(compare([one], [])).toMatchObject([{ expected: 1, found: null }])
    expect(compare([], [one])).toMatchObject([{ expected: null, found: 1 }])
    expect(compare([one], [{ ...one, value: undefined }])).toMatchObject([
      { expected: 1, found: 'unreadable' },
    ])
    expect(compare([entry('all', 0, ['x'])], [])).toMatchObject([
      { window: 'total', expected: 1, found: null },
    ])
  })

  test('may be missing where nothing was counted: an aggregate that is new may have seen no record yet', () => {
    for (const name of Object.keys(aggregates)) {
      expect(compare([entry(name, 0, [])], [])).toEqual([])
      expect(compare([], [entry(name, 0, [])])).toEqual([])
      expect(compare([entry(name, 0, ['x'])], [entry(name, 0, [])])).toHaveLength(1)
    }
  })

  test('are not compared where they are closed, doubted or not declared', () => {
    const one = entry('records', 1000, ['x'])
    expect(compare([one], [], { watermark: 2000 + RETENTION - 1 })).toHaveLength(1)
    expect(compare([one], [], { watermark: 2000 + RETENTION })).toEqual([])
    expect(compare([one], [], { except: new Set(['records']) })).toEqual([])
    expect(compare([], [{ aggregate: 'gone', start: 0, value: 1 }])).toEqual([])
  })
})

test('a window is open exactly as long as its end lies above the watermark less the retention', () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.nat(200), (watermark, index) => {
      const start = index * SIZE
      const isOpen = start + SIZE > watermark - RETENTION
      expect(start >= openFrom(windowed.count(), watermark)).toBe(isOpen)
    }),
  )
})
