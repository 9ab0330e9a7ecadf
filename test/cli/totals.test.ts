import { expect, test } from 'vitest'
import { shownAggregates, totalLines } from '../../cli/totals.ts'
import { type Aggregates, hourly, total } from '../../pipelines/api/aggregates.ts'
import { Folder } from '../../pipelines/api/folder.ts'

const HOUR = 3_600_000

const windowsOf = (
  aggregates: Aggregates,
  records: readonly { readonly at: number; readonly device: string }[],
) => {
  const folder = new Folder(aggregates, { watermark: 0, now: HOUR })
  for (const { at, device } of records) folder.add({ device }, at)
  return folder.take().windows.map(({ aggregate, start, value }) => ({
    size: aggregates[aggregate]?.span === 'window' ? HOUR : undefined,
    start,
    values: new Map([[aggregate, value]]),
  }))
}

const records = ['iOS', 'android', 'iOS', 'web', 'a\u009bb'].map((device, at) => ({
  at: at * (HOUR / 4),
  device,
}))

test('totals: a counter whole, a top list as long as it was declared, no list twice', () => {
  const aggregates = { devices: total.countBy('device'), top_devices: total.top('device', 2) }
  const windows = windowsOf(aggregates, records)
  expect(totalLines(aggregates, windows)).toEqual([
    '  devices: iOS 2, android 1, web 1, a\\x9bb 1',
    '  top_devices, top 2: iOS 2, android 1',
  ])
  expect(shownAggregates(aggregates, windows)).toMatchObject({ top_devices: { iOS: 2, android: 1 } })
})

test('windows are taken together, and the hour with the most records is named', () => {
  const aggregates = { logins: hourly.count(), devices: hourly.countBy('device') }
  expect(totalLines(aggregates, windowsOf(aggregates, records))).toEqual([
    '  logins: 5',
    '  devices: iOS 2, android 1, web 1, a\\x9bb 1',
    '  devices, top 3: iOS 2, android 1, web 1',
    '  busiest hour: 1970-01-01 00:00 UTC, 4 records',
  ])
})
