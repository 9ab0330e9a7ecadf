/** Events to counters and histograms: one line an event, no decision. */
import type { BatchCommitted, Listened } from '../cluster/events.ts'
import { boundedLabel, MOST_CODES } from './bounded.ts'
import type { Instruments } from './instruments.ts'

const S = 1000

export const countEvents = (events: Listened, instruments: Instruments): void => {
  const codes = boundedLabel(MOST_CODES)
  const add: Instruments['add'] = (...given) => instruments.add(...given)
  const record: Instruments['record'] = (...given) => instruments.record(...given)
  events.on('batchCommitted', (batch) => countBatch(batch, instruments, codes))
  events.on('committed', ({ records, bytes, ms, concurrentRetries }) => {
    record('millrace_commit_seconds', ms / S)
    record('millrace_commit_records', records)
    record('millrace_commit_bytes', bytes)
    add('millrace_concurrent_transactions_total', concurrentRetries)
  })
  events.on('claimed', ({ ms }) => record('millrace_takeover_seconds', ms / S))
  events.on('fenced', () => add('millrace_fenced_total', 1))
  events.on('reopened', () => add('millrace_reopened_total', 1))
  events.on('shardFailed', () => add('millrace_shard_restarts_total', 1))
  events.on('threadDied', ({ cause }) => add('millrace_thread_deaths_total', 1, { cause }))
  events.on('retryRun', ({ outcome }) => add('millrace_retry_runs_total', 1, { outcome }))
  events.on('retryLater', () => add('millrace_retry_runs_total', 1, { outcome: 'later' }))
  events.on('requeued', ({ jobs }) => add('millrace_requeued_total', jobs))
  events.on('viewsPublished', ({ windows, ms }) => {
    add('millrace_aggregates_published_total', windows)
    record('millrace_stage_seconds', ms / S, { stage: 'publish' })
  })
  events.on('viewsFailed', () => add('millrace_views_failed_total', 1))
  events.on('insights', ({ messages }) => add('millrace_insights_published_total', messages.length))
  events.on('planned', ({ pipeline, moved }) => {
    add('millrace_moves_total', moved, { pipeline })
    instruments.declare('millrace_alerts_unsent_total', { pipeline })
  })
  events.on('alert', ({ pipeline, errorClass }) =>
    add('millrace_alerts_total', 1, { pipeline, class: codes(errorClass) }),
  )
  events.on('alertUnsent', ({ pipeline }) => add('millrace_alerts_unsent_total', 1, { pipeline }))
}

const countBatch = (
  batch: BatchCommitted,
  instruments: Instruments,
  codes: (code: string) => string,
): void => {
  const { run, done, taken, handed, finished, runMs, commitBegun, committed } = batch
  if (done > 0) instruments.add('millrace_outcomes_total', done, { outcome: 'done', code: '', run })
  for (const { outcome, code, records } of batch.codes)
    instruments.add('millrace_outcomes_total', records, { outcome, code: codes(code), run })
  for (const attempts of batch.attempts) instruments.record('millrace_retry_attempts', attempts)
  if (batch.untraced > 0) instruments.add('millrace_traces_left_out_total', batch.untraced)
  instruments.record('millrace_batch_records', batch.records)
  const stages = {
    mailbox: handed - taken,
    pool: finished - runMs - handed,
    run: runMs,
    ready: commitBegun - finished,
    commit: committed - commitBegun,
  }
  for (const [stage, ms] of Object.entries(stages))
    instruments.record('millrace_stage_seconds', Math.max(0, ms) / S, { stage })
}

/** What has not happened yet is 0, not absent: a first event shows as a rise. */
export const declareWorker = (instruments: Instruments): void => {
  const declare: Instruments['declare'] = (...given) => instruments.declare(...given)
  declare('millrace_outcomes_total', { outcome: 'done', code: '', run: 'first' })
  declare('millrace_concurrent_transactions_total')
  declare('millrace_fenced_total')
  declare('millrace_reopened_total')
  declare('millrace_shard_restarts_total')
  declare('millrace_requeued_total')
  declare('millrace_aggregates_published_total')
  declare('millrace_views_failed_total')
  declare('millrace_insights_published_total')
  declare('millrace_traces_left_out_total')
  for (const cause of ['timeout', 'out-of-memory', 'exit', 'error'])
    declare('millrace_thread_deaths_total', { cause })
  for (const outcome of ['done', 'drop', 'dead', 'retry', 'later'])
    declare('millrace_retry_runs_total', { outcome })
}
