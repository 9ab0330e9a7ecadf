/** A pipeline whose records say what becomes of them: every fate, late ones, and a window of each kind. */
import Type from 'typebox'
import { total, tumbling } from '../../pipelines/api/aggregates.ts'
import { definePipeline } from '../../pipelines/api/define.ts'
import { dead, drop } from '../../pipelines/api/outcome.ts'

const minutes = tumbling(60_000, 600_000)

export const pipeline = definePipeline({
  name: 'audited',
  topics: { input: 'asked', output: 'answered', deadLetters: 'refused' },
  schema: Type.Object({ at: Type.Number(), kind: Type.String() }),
  process: (record) => {
    if (record.kind === 'dead') return dead('said-so')
    if (record.kind === 'drop') return drop('said-so')
    return record
  },
  eventTime: (value) => value.at,
  aggregates: {
    answers: total.count(),
    answers_a_minute: minutes.count(),
    kinds: minutes.countBy('kind'),
    kinds_seen: minutes.distinct('kind'),
    latest: tumbling(1000, 1000).max('at'),
  },
})
