/**
 * Recording rules, as one table: `deploy/prometheus/rules.yml` is made from it. Alerts and dashboards stand on these names.
 *
 * Laws:
 * - What the state topic says is absolute and exported by whichever worker owns the partition: its `max` comes first, its `rate`
 *   is taken of that. So neither a move nor a restart shows as a jump.
 * - A rule that reads another stands behind it in the same group: a group runs in order, groups run at once.
 * - `rate1m` needs a scrape at least every 15 s.
 */
const of = 'pipeline'

const max = (labels: string, metric: string): string => `max by (${labels}) (${metric})`
const sum = (labels: string, metric: string): string => `sum by (${labels}) (${metric})`
const rate = (labels: string, counter: string, window = '1m'): string =>
  sum(labels, `rate(${counter}[${window}])`)
const increase = (labels: string, counter: string, window: string): string =>
  sum(labels, `increase(${counter}[${window}])`)
const quantile = (q: number, labels: string, histogram: string, window = '1m'): string =>
  `histogram_quantile(${q}, ${rate(`${labels}, le`, `${histogram}_bucket`, window)})`
const mean = (labels: string, histogram: string): string =>
  `${rate(labels, `${histogram}_sum`)} / ${rate(labels, `${histogram}_count`)}`
/** What a standby or a former leader says of it is old. */
const ofLeader = (gauge: string): string => `${gauge} and on (job, instance) (millrace_leading == 1)`

const partitions = {
  'millrace:records:max': max(`${of}, partition, outcome`, 'millrace_records_total'),
  'millrace:records:rate1m': rate(`${of}, outcome`, 'millrace:records:max'),
  'millrace:partition_records:rate1m': rate(`${of}, partition, outcome`, 'millrace:records:max'),
  'millrace:dead_records:ratio_rate5m': `${rate(of, 'millrace:records:max{outcome="dead"}', '5m')} / ${rate(of, 'millrace:records:max', '5m')}`,
  'millrace:late_records:max': max(`${of}, partition`, 'millrace_late_records_total'),
  'millrace:late_records:rate1m': rate(of, 'millrace:late_records:max'),
  'millrace:partition_late_records:rate1m': rate(`${of}, partition`, 'millrace:late_records:max'),
  'millrace:partition_parked_records:max': max(`${of}, partition`, 'millrace_parked_records'),
  'millrace:parked_records:sum': sum(of, 'millrace:partition_parked_records:max'),
  'millrace:position:max': max(`${of}, partition`, 'millrace_position'),
  'millrace:partition_lag_records:max': max(`${of}, partition`, 'millrace_lag_records'),
  'millrace:lag_records:sum': sum(of, 'millrace:partition_lag_records:max'),
  'millrace:partition_behind_seconds:max': max(`${of}, partition`, 'millrace_behind_seconds'),
  'millrace:behind_seconds:max': max(of, 'millrace:partition_behind_seconds:max'),
} as const

const flow = {
  'millrace:outcomes:rate1m': rate(`${of}, outcome, run`, 'millrace_outcomes_total'),
  'millrace:failures:rate1m': rate(
    `${of}, outcome, code`,
    'millrace_outcomes_total{outcome=~"dead|retry|drop"}',
  ),
  'millrace:first_runs_parked:ratio_rate5m': `${rate(of, 'millrace_outcomes_total{run="first", outcome="retry"}', '5m')} / ${rate(of, 'millrace_outcomes_total{run="first"}', '5m')}`,
  'millrace:stage_seconds:p50_1m': quantile(0.5, `${of}, stage`, 'millrace_stage_seconds'),
  'millrace:stage_seconds:p99_1m': quantile(0.99, `${of}, stage`, 'millrace_stage_seconds'),
  'millrace:batch_records:mean1m': mean(of, 'millrace_batch_records'),
  'millrace:commits:rate1m': rate(of, 'millrace_commit_seconds_count'),
  'millrace:commit_seconds:p50_1m': quantile(0.5, of, 'millrace_commit_seconds'),
  'millrace:commit_seconds:p99_1m': quantile(0.99, of, 'millrace_commit_seconds'),
  'millrace:commit_records:mean1m': mean(of, 'millrace_commit_records'),
  'millrace:commit_bytes:rate1m': rate(of, 'millrace_commit_bytes_sum'),
  'millrace:concurrent_transactions:rate1m': rate(of, 'millrace_concurrent_transactions_total'),
  'millrace:slot_mailbox_records:max': max(`${of}, slot`, 'millrace_mailbox_records'),
  'millrace:slot_mailbox_bytes:max': max(`${of}, slot`, 'millrace_mailbox_bytes'),
  'millrace:mailbox_bytes:sum': sum(of, 'millrace:slot_mailbox_bytes:max'),
  'millrace:slot_paused:ratio_rate1m': max(`${of}, slot, reason`, 'rate(millrace_paused_seconds_total[1m])'),
  'millrace:paused:ratio_rate1m': max(`${of}, reason`, 'millrace:slot_paused:ratio_rate1m'),
  'millrace:pool_busy:ratio': `${sum(of, 'millrace_pool_busy_threads')} / ${sum(of, 'millrace_pool_threads')}`,
  'millrace:pool_queued_tasks:sum': sum(of, 'millrace_pool_queued_tasks'),
  'millrace:thread_deaths:increase10m': increase(`${of}, cause`, 'millrace_thread_deaths_total', '10m'),
} as const

const ownership = {
  'millrace:slot_state:max': max(`${of}, slot, state`, 'millrace_slot_state'),
  'millrace:slots:count': `count by (${of}, state) (millrace:slot_state:max == 1)`,
  'millrace:slot_owner:info': max(
    `${of}, slot, millrace_process`,
    'millrace_slot_state{state="running"} == 1',
  ),
  'millrace:takeover_seconds:p99_10m': quantile(0.99, of, 'millrace_takeover_seconds', '10m'),
  'millrace:fenced:increase10m': increase(of, 'millrace_fenced_total', '10m'),
  'millrace:reopened:increase10m': increase(of, 'millrace_reopened_total', '10m'),
  'millrace:halted_slots:sum': sum(`${of}, code`, 'millrace_halted_slots'),
  'millrace:shard_restarts:increase5m': increase(of, 'millrace_shard_restarts_total', '5m'),
  'millrace:worker_restarts:max': max(`${of}, millrace_process`, 'millrace_worker_restarts_total'),
  'millrace:worker_restarts:increase5m': increase(of, 'millrace:worker_restarts:max', '5m'),
  'millrace:restart_budget:min': `min by (${of}) (millrace_restart_budget)`,
  'millrace:plan_epoch:max': max(`${of}, millrace_role`, 'millrace_plan_epoch'),
} as const

const retries = {
  'millrace:retry_runs:rate1m': rate(`${of}, outcome`, 'millrace_retry_runs_total'),
  'millrace:retry_attempts:p99_10m': quantile(0.99, of, 'millrace_retry_attempts', '10m'),
  'millrace:requeued:rate1m': rate(of, 'millrace_requeued_total'),
} as const

const views = {
  'millrace:aggregates_published:rate1m': rate(of, 'millrace_aggregates_published_total'),
  'millrace:views_failed:rate5m': rate(of, 'millrace_views_failed_total', '5m'),
  'millrace:insights_published:rate1m': rate(of, 'millrace_insights_published_total'),
} as const

const coordinator = {
  'millrace:leading:max': 'max(millrace_leading)',
  'millrace:leader_term:max': 'max(millrace_leader_term)',
  'millrace:live_workers:max': max(of, ofLeader('millrace_live_workers')),
  'millrace:planned_slots:max': max(`${of}, state`, ofLeader('millrace_planned_slots')),
  'millrace:moves:increase10m': increase(of, 'millrace_moves_total', '10m'),
  'millrace:alerts:increase10m': increase(`${of}, class`, 'millrace_alerts_total', '10m'),
  'millrace:alerts_unsent:increase10m': increase(of, 'millrace_alerts_unsent_total', '10m'),
  'millrace:redis_noeviction:min': 'min(millrace_redis_noeviction)',
} as const

const sink = {
  'millrace:sink_documents:rate1m': rate('index', 'millrace_sink_documents_total'),
  'millrace:sink_rejected:increase10m': increase('index', 'millrace_sink_rejected_total', '10m'),
  'millrace:sink_held_bytes:sum': sum('index', 'millrace_sink_held_bytes'),
  'millrace:sink_lag_records:sum': sum('index', 'millrace_sink_lag_records'),
} as const

const processes = {
  'millrace:targets:count': 'count by (millrace_role) (up{millrace_role!=""})',
  'millrace:targets_up:sum': sum('millrace_role', 'up{millrace_role!=""}'),
  'millrace:processes:count': 'count by (role, version) (millrace_process_info)',
  'millrace:process_age_seconds:min': 'min by (millrace_role) (time() - millrace_process_start_time_seconds)',
  'millrace:process_cpu:rate1m': rate('millrace_role, instance', 'millrace_process_cpu_seconds_total'),
  'millrace:process_resident_memory_bytes:max': max(
    'millrace_role, instance',
    'millrace_process_resident_memory_bytes',
  ),
  'millrace:event_loop_delay_seconds:p99': max(
    'millrace_role, instance',
    'millrace_event_loop_delay_seconds{quantile="0.99"}',
  ),
  'millrace:traces_left_out:rate5m': rate(of, 'millrace_traces_left_out_total', '5m'),
  'millrace:spans_dropped:rate5m': rate(
    'millrace_role, instance',
    'otel_sdk_processor_span_processed_total{error_type="queue_full"}',
    '5m',
  ),
} as const

/** Group -> its rules, name -> expression, in the order in which they run. */
export const ruleGroups = {
  'millrace-partitions': partitions,
  'millrace-flow': flow,
  'millrace-ownership': ownership,
  'millrace-retries': retries,
  'millrace-views': views,
  'millrace-coordinator': coordinator,
  'millrace-sink': sink,
  'millrace-processes': processes,
} as const

export const rules = {
  ...partitions,
  ...flow,
  ...ownership,
  ...retries,
  ...views,
  ...coordinator,
  ...sink,
  ...processes,
} as const

export type RuleName = keyof typeof rules
