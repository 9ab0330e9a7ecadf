import { expect, test } from 'vitest'
import { pipeline } from '../../examples/top-pages/pipeline.ts'
import { run } from '../../pipelines/testing.ts'

const view = (page: string, reader = 'r', more: object = {}) => ({ page, reader, ...more })
const times = (count: number, page: string) => Array.from({ length: count }, (_, i) => view(page, `r${i}`))
const HOUR = '1970-01-01T00:00:00.000Z'

test('the most read pages first; ties go to the page seen first', async () => {
  const views = [...times(1, '/late'), ...times(3, '/a'), ...times(3, '/b')]
  const { aggregates, clusterInsights } = await run(pipeline, views, { timestamp: 0 })
  expect(aggregates).toMatchObject({ views: 7, readers: 3, pages: { '/a': 3, '/b': 3, '/late': 1 } })
  expect(clusterInsights).toEqual([
    { key: 'place-1', value: { place: 1, page: '/a', views: 3, of: 7 } },
    { key: 'place-2', value: { place: 2, page: '/b', views: 3, of: 7 } },
    { key: 'place-3', value: { place: 3, page: '/late', views: 1, of: 7 } },
  ])
})

test('ten places, of all time and of the hour; what comes behind them is counted all the same', async () => {
  const views = Array.from({ length: 12 }, (_, i) => times(12 - i, `/${i}`)).flat()
  const { aggregates, clusterInsights } = await run(pipeline, views, { timestamp: 0 })
  const pages = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`/${i}`, 12 - i]))
  expect(aggregates).toMatchObject({ views: 78, pages, pages_of_the_hour: { [HOUR]: pages } })
  expect(clusterInsights).toHaveLength(10)
})

test('bots are dropped, and what does not fit is dead', async () => {
  const { outcomes, aggregates } = await run(pipeline, [view('/a', 'r', { bot: true }), view(''), view('/a')])
  expect(outcomes).toEqual([
    { outcome: 'drop', code: 'bot' },
    expect.objectContaining({ outcome: 'dead', code: 'schema:page' }),
    { outcome: 'done', value: { page: '/a', reader: 'r' } },
  ])
  expect(aggregates).toMatchObject({ views: 1, pages: { '/a': 1 } })
})
