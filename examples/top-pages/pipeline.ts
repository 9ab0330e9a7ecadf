/** A top list that is never lost and never counts twice: no outputs, only what was counted. */
import Type from 'typebox'
import { hourly, total } from '../../pipelines/api/aggregates.ts'
import { definePipeline } from '../../pipelines/api/define.ts'
import { drop } from '../../pipelines/api/outcome.ts'

const PLACES = 10

export const pipeline = definePipeline({
  name: 'top-pages',
  topics: { input: 'page-views', deadLetters: 'page-views-dlq', clusterInsights: 'top-pages' },
  schema: Type.Object({
    page: Type.String({ minLength: 1, maxLength: 500, description: 'a path of 1 to 500 characters' }),
    reader: Type.String({ minLength: 1, description: 'a text' }),
    bot: Type.Boolean({ default: false }),
  }),
  process: ({ page, reader, bot }) => (bot ? drop('bot') : { page, reader }),
  aggregates: {
    views: total.count(),
    readers: total.distinct('reader'),
    pages: total.top('page', PLACES),
    pages_of_the_hour: hourly.top('page', PLACES),
  },
  clusterInsights: {
    seconds: 5,
    // The place is the key: a compacted topic then holds the list as it stands now.
    messages: (figures) =>
      figures.counts('pages').map(([page, views], i) => ({
        key: `place-${i + 1}`,
        value: { place: i + 1, page, views, of: figures.number('views') },
      })),
  },
})
