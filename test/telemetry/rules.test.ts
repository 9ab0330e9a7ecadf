/**
 * Each recording rule, worked out by `promtool test rules` on a made-up world and held against numbers worked out by hand.
 *
 * The world: two workers, a coordinator that leads and one that did, a sink. Partition 0 moves from worker 1 to worker 2, back, and
 * there again; worker 1 still says an old number of partition 1. Asked after fifteen minutes.
 */
import { expect, test } from 'vitest'
import { type RuleName, rules } from '../../telemetry/rules.ts'
import { judge } from './promtool.ts'

/** Labels as between braces -> value, to four decimals. */
type Expected = Readonly<Record<string, number>>

const w1 = 'instance="w:1",job="millrace",millrace_role="worker",millrace_process="w-1"'
const w2 = 'instance="w:2",job="millrace",millrace_role="worker",millrace_process="w-2"'
const c1 = 'instance="c:1",job="millrace",millrace_role="coordinator"'
const c2 = 'instance="c:2",job="millrace",millrace_role="coordinator"'
const s1 = 'instance="s:1",job="millrace",millrace_role="sink"'
const p = 'pipeline="logins"'

const series = (name: string, labels: readonly string[], values: string) => ({
  series: `${name}{${labels.join(',')}}`,
  values,
})
/** So much a second, a sample each 15 s. */
const rising = (perSecond: number): string => `0+${perSecond * 15}x80`
const steady = (value: number): string => `${value}x80`
/** Of a counter that rises by so much at once, six minutes before it is asked. */
const once = (by: number): string => `0x36 ${by}x44`

/**
 * A partition's counter: after seven minutes it is with worker 2 for half a minute, after ten for good. That one starts again;
 * two scrapes miss it. `stale`: as Prometheus notes what is gone.
 */
const moved = (name: string, labels: readonly string[], perSecond: number) => {
  const step = perSecond * 15
  const run = (from: number, to: number): string => `${from * step}+${step}x${to - from}`
  return [
    series(name, [p, ...labels, w1], `${run(0, 26)} stale _ ${run(29, 40)} stale`),
    series(name, [p, ...labels, w2], `_x27 ${run(27, 28)} stale _x11 ${run(41, 46)} stale _ ${run(49, 80)}`),
  ]
}
const both = (name: string, values: readonly [string, string], labels: readonly string[] = []) =>
  [w1, w2].map((worker, index) => series(name, [p, ...labels, worker], values[index] ?? ''))
const byPartition = (name: string, [first, second]: readonly [number, number]) => [
  series(name, [p, 'partition="0"', w2], steady(first)),
  series(name, [p, 'partition="1"', w2], steady(second)),
  series(name, [p, 'partition="1"', w1], steady(0)),
]
/** Buckets up to 1, up to 2 and beyond, of a histogram's counts a second, and its sum. */
const histogram = (
  name: string,
  labels: readonly string[],
  [upTo1, upTo2, all, total]: readonly [number, number, number, number],
) => [
  series(`${name}_bucket`, [...labels, 'le="1"'], rising(upTo1)),
  series(`${name}_bucket`, [...labels, 'le="2"'], rising(upTo2)),
  series(`${name}_bucket`, [...labels, 'le="+Inf"'], rising(all)),
  series(`${name}_count`, labels, rising(all)),
  series(`${name}_sum`, labels, rising(total)),
]

const world = [
  ...moved('millrace_records_total', ['partition="0"', 'outcome="done"'], 100),
  ...moved('millrace_records_total', ['partition="0"', 'outcome="dead"'], 10),
  series('millrace_records_total', [p, 'partition="1"', 'outcome="done"', w2], rising(50)),
  series('millrace_records_total', [p, 'partition="1"', 'outcome="done"', w1], steady(300)),
  ...moved('millrace_late_records_total', ['partition="0"'], 2),
  ...byPartition('millrace_parked_records', [4, 6]),
  ...byPartition('millrace_position', [1000, 2000]),
  ...byPartition('millrace_lag_records', [7, 9]),
  ...byPartition('millrace_behind_seconds', [3, 5]),

  ...both('millrace_outcomes_total', [rising(60), rising(30)], ['outcome="done"', 'code=""', 'run="first"']),
  ...both(
    'millrace_outcomes_total',
    [rising(6), rising(4)],
    ['outcome="retry"', 'code="away"', 'run="first"'],
  ),
  series('millrace_outcomes_total', [p, 'outcome="dead"', 'code="away"', 'run="later"', w1], rising(2)),
  ...histogram('millrace_stage_seconds', [p, 'stage="run"', w1], [10, 20, 20, 30]),
  ...histogram('millrace_batch_records', [p, w1], [10, 20, 20, 4000]),
  ...histogram('millrace_commit_seconds', [p, w1], [10, 20, 20, 30]),
  ...histogram('millrace_commit_records', [p, w1], [10, 20, 20, 8000]),
  ...histogram('millrace_commit_bytes', [p, w1], [10, 20, 20, 5000]),
  series('millrace_concurrent_transactions_total', [p, w1], rising(3)),
  ...both('millrace_mailbox_records', [steady(10), steady(0)], ['slot="0"']),
  ...both('millrace_mailbox_bytes', [steady(100), steady(0)], ['slot="0"']),
  series('millrace_mailbox_bytes', [p, 'slot="1"', w2], steady(50)),
  series('millrace_paused_seconds_total', [p, 'slot="0"', 'reason="mailbox"', w1], rising(0.4)),
  series('millrace_paused_seconds_total', [p, 'slot="1"', 'reason="mailbox"', w2], rising(0.2)),
  ...both('millrace_pool_threads', [steady(4), steady(4)]),
  ...both('millrace_pool_busy_threads', [steady(4), steady(2)]),
  ...both('millrace_pool_queued_tasks', [steady(3), steady(2)]),
  series('millrace_thread_deaths_total', [p, 'cause="timeout"', w1], once(2)),

  series('millrace_slot_state', [p, 'slot="0"', 'state="running"', w2], steady(1)),
  series('millrace_slot_state', [p, 'slot="0"', 'state="claiming"', w2], steady(0)),
  series('millrace_slot_state', [p, 'slot="1"', 'state="running"', w1], steady(0)),
  series('millrace_slot_state', [p, 'slot="1"', 'state="running"', w2], steady(1)),
  ...histogram('millrace_takeover_seconds', [p, w1], [10, 20, 20, 30]),
  series('millrace_fenced_total', [p, w1], once(3)),
  series('millrace_reopened_total', [p, w1], once(1)),
  ...both('millrace_halted_slots', [steady(1), steady(2)], ['code="state-lost"']),
  series('millrace_shard_restarts_total', [p, w1], '0x48 2x32'),
  series('millrace_worker_restarts_total', [p, w1], '0x48 1x32'),
  // Started again on another port: the same worker, another target.
  series('millrace_worker_restarts_total', [p, w2], '4x48 _x32'),
  series('millrace_worker_restarts_total', [p, w2.replace('w:2', 'w:3')], '_x50 5x30'),
  ...both('millrace_restart_budget', [steady(5), steady(7)]),
  ...both('millrace_plan_epoch', [steady(8), steady(9)]),
  series('millrace_plan_epoch', [p, c1], steady(10)),

  series('millrace_retry_runs_total', [p, 'outcome="done"', w1], rising(5)),
  ...histogram('millrace_retry_attempts', [p, w1], [10, 20, 20, 30]),
  series('millrace_requeued_total', [p, w1], rising(1)),
  series('millrace_aggregates_published_total', [p, w1], rising(6)),
  series('millrace_views_failed_total', [p, w1], rising(2)),
  series('millrace_insights_published_total', [p, w1], rising(4)),

  series('millrace_leading', [c1], steady(1)),
  series('millrace_leading', [c2], steady(0)),
  series('millrace_leader_term', [c1], steady(12)),
  series('millrace_leader_term', [c2], steady(11)),
  series('millrace_live_workers', [p, c1], steady(2)),
  series('millrace_live_workers', [p, c2], steady(9)),
  series('millrace_planned_slots', [p, 'state="owned"', c1], steady(2)),
  series('millrace_planned_slots', [p, 'state="unowned"', c2], steady(2)),
  series('millrace_moves_total', [p, c1], once(1)),
  series('millrace_alerts_total', [p, 'class="not-json"', c1], once(2)),
  series('millrace_alerts_unsent_total', [p, c1], once(1)),
  series('millrace_redis_noeviction', [c1], steady(1)),
  series('millrace_redis_noeviction', [c2], steady(0)),

  series('millrace_sink_documents_total', ['index="logins"', s1], rising(20)),
  series('millrace_sink_rejected_total', ['index="logins"', s1], once(3)),
  series('millrace_sink_held_bytes', ['index="logins"', s1], steady(512)),
  series('millrace_sink_lag_records', ['index="logins"', s1], steady(40)),

  ...[w1, w2, c1, c2, s1].map((target) => series('up', [target], steady(target === c2 ? 0 : 1))),
  series('up', ['job="other"'], steady(1)),
  series('millrace_process_info', ['role="worker"', 'version="1.0.0"', 'id="a"', w1], steady(1)),
  series('millrace_process_info', ['role="worker"', 'version="1.0.0"', 'id="b"', w2], steady(1)),
  series('millrace_process_start_time_seconds', [w1], steady(100)),
  series('millrace_process_start_time_seconds', [w2], steady(500)),
  series('millrace_process_cpu_seconds_total', ['mode="user"', w1], rising(1.5)),
  series('millrace_process_cpu_seconds_total', ['mode="system"', w1], rising(0.25)),
  series('millrace_process_resident_memory_bytes', [w1], steady(1000)),
  series('millrace_event_loop_delay_seconds', ['quantile="0.99"', w1], steady(0.02)),
  series('millrace_event_loop_delay_seconds', ['quantile="1"', w1], steady(0.5)),
  series('millrace_traces_left_out_total', [p, w1], rising(7)),
  series('otel_sdk_processor_span_processed_total', ['error_type="queue_full"', w1], rising(3)),
  series('otel_sdk_processor_span_processed_total', [w1], rising(300)),
]

const partition = (of: string, more = ''): string => `${more}partition="${of}",${p}`

const expected: Readonly<Record<RuleName, Expected>> = {
  'millrace:records:max': {
    [partition('0', 'outcome="done",')]: 90_000,
    [partition('0', 'outcome="dead",')]: 9000,
    [partition('1', 'outcome="done",')]: 45_000,
  },
  'millrace:records:rate1m': { [`outcome="done",${p}`]: 150, [`outcome="dead",${p}`]: 10 },
  'millrace:partition_records:rate1m': {
    [partition('0', 'outcome="done",')]: 100,
    [partition('0', 'outcome="dead",')]: 10,
    [partition('1', 'outcome="done",')]: 50,
  },
  'millrace:dead_records:ratio_rate5m': { [p]: 0.0625 },
  'millrace:late_records:max': { [partition('0')]: 1800 },
  'millrace:late_records:rate1m': { [p]: 2 },
  'millrace:partition_late_records:rate1m': { [partition('0')]: 2 },
  'millrace:partition_parked_records:max': { [partition('0')]: 4, [partition('1')]: 6 },
  'millrace:parked_records:sum': { [p]: 10 },
  'millrace:position:max': { [partition('0')]: 1000, [partition('1')]: 2000 },
  'millrace:partition_lag_records:max': { [partition('0')]: 7, [partition('1')]: 9 },
  'millrace:lag_records:sum': { [p]: 16 },
  'millrace:partition_behind_seconds:max': { [partition('0')]: 3, [partition('1')]: 5 },
  'millrace:behind_seconds:max': { [p]: 5 },

  'millrace:outcomes:rate1m': {
    [`outcome="done",${p},run="first"`]: 90,
    [`outcome="retry",${p},run="first"`]: 10,
    [`outcome="dead",${p},run="later"`]: 2,
  },
  'millrace:failures:rate1m': {
    [`code="away",outcome="retry",${p}`]: 10,
    [`code="away",outcome="dead",${p}`]: 2,
  },
  'millrace:first_runs_parked:ratio_rate5m': { [p]: 0.1 },
  'millrace:stage_seconds:p50_1m': { [`${p},stage="run"`]: 1 },
  'millrace:stage_seconds:p99_1m': { [`${p},stage="run"`]: 1.98 },
  'millrace:batch_records:mean1m': { [p]: 200 },
  'millrace:commits:rate1m': { [p]: 20 },
  'millrace:commit_seconds:p50_1m': { [p]: 1 },
  'millrace:commit_seconds:p99_1m': { [p]: 1.98 },
  'millrace:commit_records:mean1m': { [p]: 400 },
  'millrace:commit_bytes:rate1m': { [p]: 5000 },
  'millrace:concurrent_transactions:rate1m': { [p]: 3 },
  'millrace:slot_mailbox_records:max': { [`${p},slot="0"`]: 10 },
  'millrace:slot_mailbox_bytes:max': { [`${p},slot="0"`]: 100, [`${p},slot="1"`]: 50 },
  'millrace:mailbox_bytes:sum': { [p]: 150 },
  'millrace:slot_paused:ratio_rate1m': {
    [`${p},reason="mailbox",slot="0"`]: 0.4,
    [`${p},reason="mailbox",slot="1"`]: 0.2,
  },
  'millrace:paused:ratio_rate1m': { [`${p},reason="mailbox"`]: 0.4 },
  'millrace:pool_busy:ratio': { [p]: 0.75 },
  'millrace:pool_queued_tasks:sum': { [p]: 5 },
  'millrace:thread_deaths:increase10m': { [`cause="timeout",${p}`]: 2 },

  'millrace:slot_state:max': {
    [`${p},slot="0",state="running"`]: 1,
    [`${p},slot="0",state="claiming"`]: 0,
    [`${p},slot="1",state="running"`]: 1,
  },
  'millrace:slots:count': { [`${p},state="running"`]: 2 },
  'millrace:slot_owner:info': {
    [`millrace_process="w-2",${p},slot="0"`]: 1,
    [`millrace_process="w-2",${p},slot="1"`]: 1,
  },
  'millrace:takeover_seconds:p99_10m': { [p]: 1.98 },
  'millrace:fenced:increase10m': { [p]: 3 },
  'millrace:reopened:increase10m': { [p]: 1 },
  'millrace:halted_slots:sum': { [`code="state-lost",${p}`]: 3 },
  'millrace:shard_restarts:increase5m': { [p]: 2 },
  'millrace:worker_restarts:max': {
    [`millrace_process="w-1",${p}`]: 1,
    [`millrace_process="w-2",${p}`]: 5,
  },
  'millrace:worker_restarts:increase5m': { [p]: 2 },
  'millrace:restart_budget:min': { [p]: 5 },
  'millrace:plan_epoch:max': {
    [`millrace_role="worker",${p}`]: 9,
    [`millrace_role="coordinator",${p}`]: 10,
  },

  'millrace:retry_runs:rate1m': { [`outcome="done",${p}`]: 5 },
  'millrace:retry_attempts:p99_10m': { [p]: 1.98 },
  'millrace:requeued:rate1m': { [p]: 1 },
  'millrace:aggregates_published:rate1m': { [p]: 6 },
  'millrace:views_failed:rate5m': { [p]: 2 },
  'millrace:insights_published:rate1m': { [p]: 4 },

  'millrace:leading:max': { '': 1 },
  'millrace:leader_term:max': { '': 12 },
  'millrace:live_workers:max': { [p]: 2 },
  'millrace:planned_slots:max': { [`${p},state="owned"`]: 2 },
  'millrace:moves:increase10m': { [p]: 1 },
  'millrace:alerts:increase10m': { [`class="not-json",${p}`]: 2 },
  'millrace:alerts_unsent:increase10m': { [p]: 1 },
  'millrace:redis_noeviction:min': { '': 0 },

  'millrace:sink_documents:rate1m': { 'index="logins"': 20 },
  'millrace:sink_rejected:increase10m': { 'index="logins"': 3 },
  'millrace:sink_held_bytes:sum': { 'index="logins"': 512 },
  'millrace:sink_lag_records:sum': { 'index="logins"': 40 },

  'millrace:targets:count': {
    'millrace_role="worker"': 2,
    'millrace_role="coordinator"': 2,
    'millrace_role="sink"': 1,
  },
  'millrace:targets_up:sum': {
    'millrace_role="worker"': 2,
    'millrace_role="coordinator"': 1,
    'millrace_role="sink"': 1,
  },
  'millrace:processes:count': { 'role="worker",version="1.0.0"': 2 },
  'millrace:process_age_seconds:min': { 'millrace_role="worker"': 400 },
  'millrace:process_cpu:rate1m': { 'instance="w:1",millrace_role="worker"': 1.75 },
  'millrace:process_resident_memory_bytes:max': { 'instance="w:1",millrace_role="worker"': 1000 },
  'millrace:event_loop_delay_seconds:p99': { 'instance="w:1",millrace_role="worker"': 0.02 },
  'millrace:traces_left_out:rate5m': { [p]: 7 },
  'millrace:spans_dropped:rate5m': { 'instance="w:1",millrace_role="worker"': 3 },
}

/** Rounded, because a rate of 0.2 is 0.20000000000000004. */
const asked = (name: string, at: string, want: Expected) => ({
  expr: `round(${name}, 0.0001)`,
  eval_time: at,
  exp_samples: Object.entries(want).map(([labels, value]) => ({ labels: `{${labels}}`, value })),
})

test('each rule records what was worked out by hand', async () => {
  expect(Object.keys(expected)).toEqual(Object.keys(rules))
  const queries = Object.entries(expected).map(([name, want]) => asked(name, '15m', want))
  expect(await judge({ input_series: world, promql_expr_test: queries })).toBe('')
})

const every15s = (from: number, to: number): readonly string[] =>
  Array.from({ length: (to - from) / 15 + 1 }, (_, index) => `${from + index * 15}s`)

test('a move, or there and back, shows neither as a jump nor as a dip of the rate', async () => {
  const rate = { [`outcome="done",${p}`]: 150, [`outcome="dead",${p}`]: 10 }
  const moments = every15s(5 * 60, 11.5 * 60)
  const queries = moments.map((at) => asked('millrace:records:rate1m', at, rate))
  expect(await judge({ input_series: world, promql_expr_test: queries })).toBe('')
})

test('what was not scraped during a restart never shows as a jump afterwards', async () => {
  const moments = every15s(11.5 * 60, 15 * 60)
  const queries = moments.map((at) => asked('sum(millrace:records:rate1m) > 160.01', at, {}))
  expect(await judge({ input_series: world, promql_expr_test: queries })).toBe('')
})

test('a wrong number is refused', async () => {
  const queries = [asked('millrace:lag_records:sum', '15m', { [p]: 17 })]
  expect(await judge({ input_series: world, promql_expr_test: queries })).toContain('FAILED')
})
