/**
 * Each alert, judged by `promtool test rules` on made-up series: it fires where it should, with these words, and stays silent
 * where things are as usual. The raw metrics go in, so the recording rules are tested along.
 */
import { expect, test } from 'vitest'
import { type AlertKey, alertName, alerts, runbookOf } from '../../telemetry/alerts.ts'
import { judge } from './promtool.ts'

/** Series -> its values every 5 s, in promtool's notation (`1+2x3`: 1 3 5 7). */
type Input = Readonly<Record<string, string>>

interface Firing {
  readonly labels: Readonly<Record<string, string>>
  readonly summary: string
  readonly description: string
}

interface Case {
  /** Of time, from the first sample on. */
  readonly at: string
  readonly fires: Input
  readonly as: Firing
  /** By what is the case there. */
  readonly silent: Readonly<Record<string, Input>>
}

const worker = (name: string, labels = ''): string =>
  `${name}{${labels && `${labels},`}pipeline="logins",instance="w:1",millrace_role="worker",millrace_process="w-1"}`
const leader = (name: string, labels = ''): string =>
  `${name}{${labels && `${labels},`}instance="c:1",job="millrace",millrace_role="coordinator"}`
const records = (outcome: string): string =>
  worker('millrace_records_total', `partition="0",outcome="${outcome}"`)
const partition = (name: string): string => worker(name, 'partition="0"')
const outcomes = (outcome: string): string =>
  worker('millrace_outcomes_total', `outcome="${outcome}",code="",run="first"`)
const halts = (code: string): string => worker('millrace_halted_slots', `code="${code}"`)
const dropped = worker('otel_sdk_processor_span_processed_total', 'error_type="queue_full"')
const sink = (name: string): string => `${name}{index="logins",instance="s:1",millrace_role="sink"}`
const plan = (state: string): string => leader('millrace_planned_slots', `pipeline="logins",state="${state}"`)

const STEADY = '100+0x720'
const NONE = '0x720'

const flow = {
  'lag-growing': {
    at: '30m',
    fires: {
      [partition('millrace_lag_records')]: '1000+50x720',
      [partition('millrace_behind_seconds')]: '120x720',
    },
    as: {
      labels: { pipeline: 'logins' },
      summary: 'Pipeline logins falls behind',
      description:
        'It is 2m 0s behind its input, and its lag is larger than ten minutes ago: records come faster than they are processed.',
    },
    silent: {
      'a lag that melts': {
        [partition('millrace_lag_records')]: '100000-50x720',
        [partition('millrace_behind_seconds')]: '120x720',
      },
      'a growing lag of seconds, as of a larger load': {
        [partition('millrace_lag_records')]: '1000+50x720',
        [partition('millrace_behind_seconds')]: '5x720',
      },
    },
  },
  'partition-stuck': {
    at: '10m',
    fires: { [partition('millrace_lag_records')]: '7x720', [partition('millrace_position')]: STEADY },
    as: {
      labels: { pipeline: 'logins', partition: '0' },
      summary: 'Partition 0 of logins stands still',
      description: '7 records wait, and its position has not moved for minutes.',
    },
    silent: {
      'a partition without input': {
        [partition('millrace_lag_records')]: NONE,
        [partition('millrace_position')]: STEADY,
      },
      'a lag that is worked off': {
        [partition('millrace_lag_records')]: STEADY,
        [partition('millrace_position')]: '0+10x720',
      },
    },
  },
  'dead-letters': {
    at: '15m',
    fires: { [records('done')]: '5000+90x720', [records('dead')]: '100+10x720' },
    as: {
      labels: { pipeline: 'logins' },
      summary: 'Many records of logins become dead letters',
      description: '10% of the records of the last five minutes failed for good.',
    },
    silent: {
      'one in a hundred': { [records('done')]: '5000+99x720', [records('dead')]: '100+1x720' },
      'many of them long ago': { [records('done')]: '5000+99x720', [records('dead')]: '100000x720' },
      'no records': { [records('done')]: STEADY, [records('dead')]: STEADY },
    },
  },
  'retry-storm': {
    at: '15m',
    fires: { [outcomes('done')]: '0+75x720', [outcomes('retry')]: '0+25x720' },
    as: {
      labels: { pipeline: 'logins' },
      summary: 'Many records of logins are parked for a retry',
      description:
        '25% of the first runs ended with `retry`: something that the pipeline asks is away or slow.',
    },
    silent: {
      'one in a hundred': { [outcomes('done')]: '0+99x720', [outcomes('retry')]: '0+1x720' },
      'a moment of it': { [outcomes('done')]: '0+75x720', [outcomes('retry')]: '0x156 0+75x12 900x552' },
    },
  },
  'parked-full': {
    at: '10m',
    fires: { [worker('millrace_paused_seconds_total', 'slot="3",reason="parked"')]: '0+4x720' },
    as: {
      labels: { pipeline: 'logins', slot: '3', reason: 'parked' },
      summary: 'Slot 3 of logins reads no input: too many parked records',
      description:
        'For 80% of the time it holds as many parked records as it may, and waits until some are settled.',
    },
    silent: {
      'a full mailbox, which is back-pressure': {
        [worker('millrace_paused_seconds_total', 'slot="3",reason="mailbox"')]: '0+4x720',
      },
    },
  },
} as const satisfies Readonly<Record<string, Case>>

const ownership = {
  'no-leader': {
    at: '5m',
    fires: { [leader('millrace_leading')]: NONE },
    as: {
      labels: {},
      summary: 'No coordinator leads',
      description:
        'Workers go on with the slots they own, but none is given to anybody: a worker that dies now is not replaced.',
    },
    silent: {
      'one leads, one stands by': {
        [leader('millrace_leading')]: '1x720',
        'millrace_leading{instance="c:2",job="millrace"}': NONE,
      },
      'leadership that is handed on': {
        [leader('millrace_leading')]: '1x54 0x666',
        'millrace_leading{instance="c:2",job="millrace"}': '0x57 1x663',
      },
    },
  },
  'slots-unowned': {
    at: '5m',
    fires: { [leader('millrace_leading')]: '1x720', [plan('unowned')]: '2x720' },
    as: {
      labels: { pipeline: 'logins', state: 'unowned' },
      summary: 'Slots of logins have no owner',
      description: '2 slots are processed by nobody: too few workers live, or none.',
    },
    silent: {
      'all are owned': {
        [leader('millrace_leading')]: '1x720',
        [plan('owned')]: '4x720',
        [plan('unowned')]: NONE,
      },
      'what a former leader remembers': { [leader('millrace_leading')]: NONE, [plan('unowned')]: '2x720' },
    },
  },
  'restart-budget': {
    at: '10m',
    fires: {
      [worker('millrace_restart_budget')]: '5x720',
      [worker('millrace_worker_restarts_total')]: '0x80 1x10 2x10 3x620',
    },
    as: {
      labels: { pipeline: 'logins' },
      summary: 'Parts of logins fail and start again',
      description:
        '3 restarts within five minutes: more than half of what a supervisor allows before it gives up.',
    },
    silent: {
      'one restart': {
        [worker('millrace_restart_budget')]: '5x720',
        [worker('millrace_worker_restarts_total')]: '0x80 1x640',
      },
      'a worker started long ago many times': {
        [worker('millrace_restart_budget')]: '5x720',
        [worker('millrace_worker_restarts_total')]: '40x720',
      },
      'a budget of none, and no restart': {
        [worker('millrace_restart_budget')]: NONE,
        [worker('millrace_worker_restarts_total')]: NONE,
      },
    },
  },
  fenced: {
    at: '10m',
    fires: { [worker('millrace_fenced_total')]: '0x80 4x640' },
    as: {
      labels: { pipeline: 'logins' },
      summary: 'A worker of logins lost slots while it still ran',
      description:
        'A newer owner fenced it: it stood still for longer than its lease. Nothing was lost or doubled, but something stalls it.',
    },
    silent: { 'fenced long ago': { [worker('millrace_fenced_total')]: '4x720' } },
  },
  'position-gap': {
    at: '1m',
    fires: { [halts('position-gap')]: '1x720' },
    as: {
      labels: { pipeline: 'logins', code: 'position-gap' },
      summary: 'Records of logins are gone from Kafka before they were processed',
      description:
        '1 slots halted: their position lies outside the log. They stay halted until a person decides.',
    },
    silent: {
      'another halt': { [halts('state-lost')]: '1x720' },
      'none halted': { [halts('position-gap')]: NONE },
    },
  },
  'slot-halted': {
    at: '1m',
    fires: { [halts('state-lost')]: '2x720' },
    as: {
      labels: { pipeline: 'logins', code: 'state-lost' },
      summary: 'Slots of logins halted: state-lost',
      description:
        '2 slots stopped by name rather than lose or double records. A person must mend the cause.',
    },
    silent: {
      'a gap, which has its own': { [halts('position-gap')]: '1x720' },
      'none halted': { [halts('state-lost')]: NONE },
    },
  },
} as const satisfies Readonly<Record<string, Case>>

const around = {
  'redis-evicts': {
    at: '3m',
    fires: { [leader('millrace_redis_noeviction')]: NONE },
    as: {
      labels: {},
      summary: 'Redis may evict keys of Millrace',
      description:
        'Its maxmemory-policy is not noeviction: when memory is short it drops leases, retry jobs and views.',
    },
    silent: { 'it is noeviction': { [leader('millrace_redis_noeviction')]: '1x720' } },
  },
  'target-down': {
    at: '3m',
    fires: { 'up{instance="w:1",job="millrace",millrace_role="worker"}': NONE },
    as: {
      labels: { instance: 'w:1', job: 'millrace', millrace_role: 'worker' },
      summary: 'The worker at w:1 does not answer',
      description:
        'It holds a lease, but Prometheus cannot read its metrics: it hangs, is frozen, or cannot be reached.',
    },
    silent: {
      'it answers': { 'up{instance="w:1",job="millrace",millrace_role="worker"}': '1x720' },
      'something else is down': { 'up{instance="x:1",job="node"}': NONE },
    },
  },
  'views-failing': {
    at: '15m',
    fires: { [worker('millrace_views_failed_total')]: '0+10x720' },
    as: {
      labels: { pipeline: 'logins' },
      summary: 'Views of logins do not reach Redis',
      description: '2 publications a second fail: insights stand still, processing goes on.',
    },
    silent: { 'it failed once': { [worker('millrace_views_failed_total')]: '7x720' } },
  },
  'alerts-unsent': {
    at: '15m',
    fires: { [leader('millrace_alerts_unsent_total', 'pipeline="logins"')]: '0+1x720' },
    as: {
      labels: { pipeline: 'logins' },
      summary: 'Alerts of logins do not reach their hook',
      description: '120 posts to MILLRACE_ALERT_HOOK failed within ten minutes.',
    },
    silent: { 'unsent long ago': { [leader('millrace_alerts_unsent_total', 'pipeline="logins"')]: '3x720' } },
  },
  'sink-rejects': {
    at: '15m',
    fires: { [sink('millrace_sink_rejected_total')]: '0+1x720' },
    as: {
      labels: { index: 'logins' },
      summary: 'Index logins refuses documents',
      description: '120 records became dead letters of the sink within ten minutes.',
    },
    silent: { 'rejected long ago': { [sink('millrace_sink_rejected_total')]: '3x720' } },
  },
  'sink-lag-growing': {
    at: '30m',
    fires: { [sink('millrace_sink_lag_records')]: '2000+10x720' },
    as: {
      labels: { index: 'logins' },
      summary: 'The sink of index logins falls behind',
      description: '5.6k records wait: more than ten minutes before.',
    },
    silent: {
      'a lag that melts': { [sink('millrace_sink_lag_records')]: '20000-10x720' },
      'a small one': { [sink('millrace_sink_lag_records')]: '0+1x720' },
    },
  },
  'spans-dropped': {
    at: '15m',
    fires: { [dropped]: '0+5x720' },
    as: {
      labels: { instance: 'w:1', millrace_role: 'worker' },
      summary: 'The worker at w:1 drops spans',
      description: '1 spans a second find the exporting queue full: traces have holes, nothing else suffers.',
    },
    silent: { 'dropped long ago': { [dropped]: '500x720' } },
  },
} as const satisfies Readonly<Record<string, Case>>

const cases: Readonly<Record<AlertKey, Case>> = { ...flow, ...ownership, ...around }

/** @returns what promtool says of it, empty where all is as expected */
const judgeAlert = (key: AlertKey, at: string, input: Input, expected: readonly Firing[]): Promise<string> =>
  judge({
    interval: '5s',
    input_series: Object.entries(input).map(([series, values]) => ({ series, values })),
    alert_rule_test: [
      {
        eval_time: at,
        alertname: alertName(key),
        exp_alerts: expected.map(({ labels, summary, description }) => ({
          exp_labels: { ...labels, severity: alerts[key].severity },
          exp_annotations: { summary, description, runbook_url: runbookOf(key) },
        })),
      },
    ],
  })

const all = Object.keys(cases) as AlertKey[]
const silences = all.flatMap((key) =>
  Object.entries(cases[key].silent).map(([why, input]) => ({ key, why, input })),
)

test.each(all)('%s fires and says what is wrong', async (key) => {
  const { at, fires, as } = cases[key]
  expect(await judgeAlert(key, at, fires, [as])).toBe('')
})

test.each(silences)('$key is silent: $why', async ({ key, input }) => {
  expect(await judgeAlert(key, cases[key].at, input, [])).toBe('')
})

test('a wrong expectation is refused', async () => {
  const { at, fires, as } = cases['lag-growing']
  expect(await judgeAlert('lag-growing', at, fires, [])).toContain('FAILED')
  expect(await judgeAlert('lag-growing', at, fires, [{ ...as, summary: 'other' }])).toContain('FAILED')
})
