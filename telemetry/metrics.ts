/**
 * Every metric of Millrace, as one list: `docs/metrics.md`, the instruments, the rules and the dashboards are made from it or
 * held against it. Names are Prometheus's; durations are in seconds, sizes in bytes.
 *
 * Law: labels are of a bounded set (codes beyond 100 count as `(other)`); never a key, a value, an address or an id of a user.
 */
export type Kind =
  /** Rises; added to by events. */
  | 'counter'
  /** Rises; read when it is asked for. */
  | 'observed-counter'
  /** Goes up and down; read when it is asked for. */
  | 'gauge'
  | 'histogram'

/** Who has it. */
export type Role = 'worker' | 'coordinator' | 'sink' | 'every'

export interface Metric {
  readonly kind: Kind
  readonly role: Role
  readonly unit: string
  readonly labels: readonly string[]
  readonly doc: string
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[]
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const RECORDS = [1, 10, 100, 500, 1000, 2500, 5000, 10_000, 25_000, 100_000]
const BYTES = [1024, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216]
const RUNS = [1, 2, 3, 4, 5, 8, 13, 21]

const metric = (
  kind: Kind,
  role: Role,
  unit: string,
  labels: readonly string[],
  doc: string,
  buckets?: readonly number[],
): Metric => ({ kind, role, unit, labels, doc, ...(buckets && { buckets }) })

const of = ['pipeline'] as const

/** What the state topic says, by partition: it goes on over restarts and moves, whoever owns the partition. */
const partitions = {
  millrace_records_total: metric(
    'observed-counter',
    'worker',
    '{record}',
    [...of, 'partition', 'outcome'],
    'Input records with a fate (`done`, `dead`, `drop`) since the pipeline began, as the state topic says. Absolute: it goes on over restarts and moves, so take the highest of all workers first (`millrace:records:max`)',
  ),
  millrace_late_records_total: metric(
    'observed-counter',
    'worker',
    '{record}',
    [...of, 'partition'],
    'Records that an aggregate left out as late; absolute, as above',
  ),
  millrace_parked_records: metric(
    'gauge',
    'worker',
    '{record}',
    [...of, 'partition'],
    'Records that wait for another run',
  ),
  millrace_position: metric(
    'gauge',
    'worker',
    '{record}',
    [...of, 'partition'],
    'Next input offset, committed',
  ),
  millrace_lag_records: metric(
    'gauge',
    'worker',
    '{record}',
    [...of, 'partition'],
    'Offsets between the position and the last stable offset',
  ),
  millrace_behind_seconds: metric(
    'gauge',
    'worker',
    's',
    [...of, 'partition'],
    'Age of the newest committed record while there is lag, else 0',
  ),
} as const

const flow = {
  millrace_slot_state: metric(
    'gauge',
    'worker',
    '1',
    [...of, 'slot', 'state'],
    '1 for the state a slot is in: `claiming`, `running`, `releasing`, `halted`, `fenced`',
  ),
  millrace_outcomes_total: metric(
    'counter',
    'worker',
    '{record}',
    [...of, 'outcome', 'code', 'run'],
    'Outcomes this process committed; `run` is `first`, or `later` for what retries came to. A parked record counts as `retry`, and again when it is settled',
  ),
  millrace_stage_seconds: metric(
    'histogram',
    'worker',
    's',
    [...of, 'stage'],
    'Time of one batch in `mailbox` (read, not begun), `pool` (waits for a thread), `run`, `ready` (waits for its transaction), `commit`; and of one publication in `publish`',
    SECONDS,
  ),
  millrace_batch_records: metric('histogram', 'worker', '{record}', [...of], 'Records of one batch', RECORDS),
  millrace_commit_seconds: metric('histogram', 'worker', 's', [...of], 'Time of one transaction', SECONDS),
  millrace_commit_records: metric(
    'histogram',
    'worker',
    '{record}',
    [...of],
    'Records of one transaction',
    RECORDS,
  ),
  millrace_commit_bytes: metric(
    'histogram',
    'worker',
    'By',
    [...of],
    'Bytes written by one transaction',
    BYTES,
  ),
  millrace_concurrent_transactions_total: metric(
    'counter',
    'worker',
    '{request}',
    [...of],
    'CONCURRENT_TRANSACTIONS answers that were waited out; normal',
  ),
  millrace_mailbox_records: metric(
    'gauge',
    'worker',
    '{record}',
    [...of, 'slot'],
    'Records read and not committed',
  ),
  millrace_mailbox_bytes: metric('gauge', 'worker', 'By', [...of, 'slot'], 'Bytes read and not committed'),
  millrace_paused_seconds_total: metric(
    'observed-counter',
    'worker',
    's',
    [...of, 'slot', 'reason'],
    'Time in which a slot read no input: `mailbox` (full) or `parked` (the cap of parked records)',
  ),
  millrace_pool_threads: metric('gauge', 'worker', '{thread}', [...of], 'Threads of the pool'),
  millrace_pool_busy_threads: metric('gauge', 'worker', '{thread}', [...of], 'Threads that run a task'),
  millrace_pool_queued_tasks: metric('gauge', 'worker', '{task}', [...of], 'Tasks that wait for a thread'),
  millrace_thread_deaths_total: metric(
    'counter',
    'worker',
    '{thread}',
    [...of, 'cause'],
    'Threads that died of a task: `timeout`, `out-of-memory`, `exit`, `error`',
  ),
} as const

const ownership = {
  millrace_takeover_seconds: metric(
    'histogram',
    'worker',
    's',
    [...of],
    'From the fence to the first fetch of a slot',
    SECONDS,
  ),
  millrace_fenced_total: metric(
    'counter',
    'worker',
    '{slot}',
    [...of],
    'Slots that stopped because a newer owner exists',
  ),
  millrace_reopened_total: metric(
    'counter',
    'worker',
    '{slot}',
    [...of],
    'Transactions whose end was unclear: the slot restored',
  ),
  millrace_halted_slots: metric(
    'gauge',
    'worker',
    '{slot}',
    [...of, 'code'],
    'Slots that stopped by name; a person must mend it',
  ),
  millrace_shard_restarts_total: metric(
    'counter',
    'worker',
    '{slot}',
    [...of],
    'Shards that failed and were started again',
  ),
  millrace_worker_restarts_total: metric(
    'observed-counter',
    'worker',
    '{process}',
    [...of],
    'Times this worker process was started again by its supervisor',
  ),
  millrace_restart_budget: metric(
    'gauge',
    'worker',
    '{process}',
    [...of],
    'Restarts within the window at which the supervisor gives up (`MILLRACE_RESTARTS`)',
  ),
  millrace_plan_epoch: metric(
    'gauge',
    'every',
    '1',
    [...of],
    'Epoch of the newest plan: a worker has applied it, a coordinator knows it',
  ),
} as const

const retries = {
  millrace_retry_runs_total: metric(
    'counter',
    'worker',
    '{run}',
    [...of, 'outcome'],
    'Later runs of parked records in this process: `done`, `drop`, `dead`, `retry`, `later` (could not be run)',
  ),
  millrace_retry_attempts: metric(
    'histogram',
    'worker',
    '{run}',
    [...of],
    'Runs that a settled record took in all',
    RUNS,
  ),
  millrace_requeued_total: metric(
    'counter',
    'worker',
    '{record}',
    [...of],
    'Parked records that were put into the queue again',
  ),
} as const

const views = {
  millrace_aggregates_published_total: metric(
    'counter',
    'worker',
    '{window}',
    [...of],
    'Windows of aggregates published to Redis',
  ),
  millrace_views_failed_total: metric(
    'counter',
    'worker',
    '{call}',
    [...of],
    'Publications that Redis did not take',
  ),
  millrace_insights_published_total: metric(
    'counter',
    'worker',
    '{message}',
    [...of],
    'Insights by count, published',
  ),
} as const

const coordinator = {
  millrace_leading: metric('gauge', 'coordinator', '1', [], '1 while this coordinator leads'),
  millrace_leader_term: metric('gauge', 'coordinator', '1', [], 'Its newest term'),
  millrace_live_workers: metric(
    'gauge',
    'coordinator',
    '{process}',
    [...of],
    'Workers with a lease, as the leader sees them',
  ),
  millrace_planned_slots: metric(
    'gauge',
    'coordinator',
    '{slot}',
    [...of, 'state'],
    'Slots of the plan: `owned`, `releasing`, `unowned`',
  ),
  millrace_moves_total: metric(
    'counter',
    'coordinator',
    '{slot}',
    [...of],
    'Slots that plans took from a living worker',
  ),
  millrace_alerts_total: metric(
    'counter',
    'coordinator',
    '{alert}',
    [...of, 'class'],
    'Alerts of dead letters of one class (`MILLRACE_ALERT_AT`)',
  ),
  millrace_alerts_unsent_total: metric(
    'counter',
    'coordinator',
    '{alert}',
    [...of],
    'Alerts that the hook did not take',
  ),
  millrace_redis_noeviction: metric(
    'gauge',
    'coordinator',
    '1',
    [],
    '1 where Redis has `maxmemory-policy noeviction`; 0 loses retries',
  ),
} as const

const sink = {
  millrace_sink_documents_total: metric(
    'observed-counter',
    'sink',
    '{document}',
    ['index'],
    'Documents indexed since the start of the process',
  ),
  millrace_sink_rejected_total: metric(
    'observed-counter',
    'sink',
    '{record}',
    ['index'],
    'Records that became dead letters of the sink',
  ),
  millrace_sink_held_bytes: metric('gauge', 'sink', 'By', ['index'], 'Bytes read and not committed'),
  millrace_sink_lag_records: metric('gauge', 'sink', '{record}', ['index'], 'Records not committed'),
} as const

const processes = {
  millrace_process_info: metric('gauge', 'every', '1', ['role', 'version', 'id'], '1: which process this is'),
  millrace_process_start_time_seconds: metric('gauge', 'every', 's', [], 'Start of the process, Unix time'),
  millrace_process_cpu_seconds_total: metric(
    'observed-counter',
    'every',
    's',
    ['mode'],
    'CPU time of the process with all its threads: `user`, `system`',
  ),
  millrace_process_resident_memory_bytes: metric('gauge', 'every', 'By', [], 'Resident memory'),
  millrace_event_loop_delay_seconds: metric(
    'gauge',
    'every',
    's',
    ['quantile'],
    'Delay of the main loop since the last look: quantiles 0.5, 0.99 and 1 (the highest)',
  ),
  millrace_traces_left_out_total: metric(
    'counter',
    'worker',
    '{record}',
    [...of],
    'Sampled records without spans of their own, because the bound on traces a second was reached',
  ),
} as const

/** Group title -> its metrics, in the order of the documentation. */
export const metricGroups = {
  'Partitions, from the state': partitions,
  'Data flow': flow,
  'Ownership and restarts': ownership,
  Retries: retries,
  Views: views,
  Coordinator: coordinator,
  Sink: sink,
  'Every process': processes,
} as const

export const metrics = {
  ...partitions,
  ...flow,
  ...ownership,
  ...retries,
  ...views,
  ...coordinator,
  ...sink,
  ...processes,
} as const

export type MetricName = keyof typeof metrics

/** Made by the OpenTelemetry SDK itself, named here because rules and pages use them. */
export const sdkMetrics = {
  otel_sdk_processor_span_processed_total:
    'Spans by what the exporting queue did with them; `error_type="queue_full"` are dropped spans',
} as const
