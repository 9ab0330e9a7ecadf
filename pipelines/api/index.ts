/** What `import ... from 'millrace'` gives: all that a pipeline is made of. */
export { default as Type, type Static } from 'typebox'
export { type Aggregate, type Aggregates, batch, hourly, total, tumbling } from './aggregates.ts'
export {
  type BatchInsights,
  type BatchMoment,
  type ClusterInsights,
  type Context,
  definePipeline,
  type Input,
  type JsonObject,
  type Pipeline,
  type RecordHeaders,
  type RetryPolicy,
} from './define.ts'
export type { Figures } from './figures.ts'
export { type Dead, type Done, type Drop, dead, drop, type Retry, retry, type Verdict } from './outcome.ts'
