/** A pipeline without outputs: its aggregates and its insights are all that is seen of it. */
import Type from 'typebox'
import { batch, total, tumbling } from '../../pipelines/api/aggregates.ts'
import { definePipeline } from '../../pipelines/api/define.ts'
import { dead, drop } from '../../pipelines/api/outcome.ts'

const minutes = tumbling(60_000, 600_000)

export const pipeline = definePipeline({
  name: 'silent',
  topics: { input: 'asked', deadLetters: 'refused', insights: 'told' },
  schema: Type.Object({ at: Type.Number(), kind: Type.String() }),
  options: Type.Object({ suffix: Type.String({ secret: true, description: 'of each kind' }) }),
  process: (record, { options }) => {
    if (record.kind === 'dead') return dead('said-so')
    if (record.kind === 'drop') return drop('said-so')
    return { ...record, kind: record.kind + options.suffix }
  },
  eventTime: (value) => value.at,
  aggregates: {
    answers: total.count(),
    kinds: minutes.countBy('kind'),
    latest: tumbling(1000, 1000).max('at'),
    batch_kinds: batch.countBy('kind'),
    refusals: total.errors(),
  },
  errorClass: (code) => (code.startsWith('schema:') ? 'validation' : 'processing'),
  insights: {
    each: 2,
    messages: (figures) => [
      { metric: 'answers', answers: figures.number('answers') },
      ...figures.counts('batch_kinds').map(([kind, count]) => ({ metric: 'kinds', kind, count })),
    ],
  },
})

export const options = () => ({ suffix: '!' })
