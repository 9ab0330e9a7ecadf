import { expect, test } from 'vitest'
import { regionOf } from '../../../pipelines/steps/regions.ts'

const states =
  'AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY'.split(
    ' ',
  )

test('each of the 50 states lies in one region: 9, 12, 16 and 13', () => {
  const sizes = Object.groupBy(states, regionOf)
  expect(Object.fromEntries(Object.entries(sizes).map(([region, codes]) => [region, codes.length]))).toEqual({
    Northeast: 9,
    Midwest: 12,
    South: 16,
    West: 13,
  })
})
