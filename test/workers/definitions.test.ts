import { expect, test } from 'vitest'
import { hourly } from '../../pipelines/api/aggregates.ts'
import { definitionsOf, haveChanged, outgrownWindows } from '../../workers/definitions.ts'
import { firstPosition } from '../../workers/ledger.ts'

const at = (next: number) => new Map([[3, { ...firstPosition(0, 'id'), next }]])
const a = { kept: hourly.count(), turned: hourly.countBy('device_type') }
const b = { kept: hourly.count(), turned: hourly.countBy('locale'), added: hourly.count() }
const birth = definitionsOf(a, undefined, at(0))
const meta = (definitions: typeof birth) => ({
  format: 1,
  millrace: '0.0.0',
  slots: 4,
  inputClusterId: 'c',
  inputTopicId: 't',
  outputMapping: 'same' as const,
  definitions,
})

test('at birth everything counts from the first record', () => {
  expect(Object.values(birth).map(({ since }) => since)).toEqual([{}, {}])
})

test('what changed or came new counts from the positions of its first takeover; what did not goes on', () => {
  const later = definitionsOf(b, meta(birth), at(70))
  expect(later.kept).toEqual(birth.kept)
  expect(later.turned).toMatchObject({ since: { 3: 70 } })
  expect(later.added).toMatchObject({ since: { 3: 70 } })
  expect(haveChanged(birth, later)).toBe(true)
  expect(definitionsOf(b, meta(later), at(90))).toEqual(later)
  expect(haveChanged(later, definitionsOf(b, meta(later), at(90)))).toBe(false)
})

test('a definition that changes back does not get its old windows again', () => {
  const later = definitionsOf(b, meta(birth), at(70))
  const keys = [
    'meta',
    'position/3',
    'window/kept/3600000/0',
    'window/turned/3600000/0',
    'window/gone/3600000/0',
  ]
  expect(outgrownWindows(later, birth, keys)).toEqual([{ key: 'window/turned/3600000/0', value: null }])
  expect(outgrownWindows(later, later, keys)).toEqual([])
})
