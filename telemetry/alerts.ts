/**
 * Alert rules, as one table: `deploy/prometheus/alerts.yml` and the index of `docs/runbooks/` are made from it. Each has its
 * page there, named as its key. They stand on the recording rules, so that a move or a restart raises none.
 *
 * Severity: `critical`: records wait or may be lost, now; `warning`: it will hurt, in working hours; `info`: worth knowing.
 */
import type { RuleName } from './rules.ts'

export interface Alert {
  readonly severity: 'critical' | 'warning' | 'info'
  readonly expr: string
  /** How long it must hold; undefined: at once. */
  readonly for?: string
  /** One line; may name labels. */
  readonly summary: string
  readonly description: string
}

/** Under which names the recorded series stand: one that no rule makes does not compile. */
const rule = (name: RuleName): string => name

const lag = rule('millrace:lag_records:sum')
const sinkLag = rule('millrace:sink_lag_records:sum')
const budget = rule('millrace:restart_budget:min')
const halted = rule('millrace:halted_slots:sum')

const flow = {
  'lag-growing': {
    severity: 'warning',
    expr: `${rule('millrace:behind_seconds:max')} > 60 and ${lag} > ${lag} offset 10m`,
    for: '5m',
    summary: 'Pipeline {{ $labels.pipeline }} falls behind',
    description:
      'It is {{ $value | humanizeDuration }} behind its input, and its lag is larger than ten minutes ago: records come faster than they are processed.',
  },
  'partition-stuck': {
    severity: 'critical',
    expr: `${rule('millrace:partition_lag_records:max')} > 0 and changes(${rule('millrace:position:max')}[2m]) == 0`,
    for: '5m',
    summary: 'Partition {{ $labels.partition }} of {{ $labels.pipeline }} stands still',
    description: '{{ $value | humanize }} records wait, and its position has not moved for minutes.',
  },
  'dead-letters': {
    severity: 'warning',
    expr: `${rule('millrace:dead_records:ratio_rate5m')} > 0.05`,
    for: '5m',
    summary: 'Many records of {{ $labels.pipeline }} become dead letters',
    description: '{{ $value | humanizePercentage }} of the records of the last five minutes failed for good.',
  },
  'retry-storm': {
    severity: 'warning',
    expr: `${rule('millrace:first_runs_parked:ratio_rate5m')} > 0.1`,
    for: '5m',
    summary: 'Many records of {{ $labels.pipeline }} are parked for a retry',
    description:
      '{{ $value | humanizePercentage }} of the first runs ended with `retry`: something that the pipeline asks is away or slow.',
  },
  'parked-full': {
    severity: 'critical',
    expr: `${rule('millrace:slot_paused:ratio_rate1m')}{reason="parked"} > 0.5`,
    for: '5m',
    summary: 'Slot {{ $labels.slot }} of {{ $labels.pipeline }} reads no input: too many parked records',
    description:
      'For {{ $value | humanizePercentage }} of the time it holds as many parked records as it may, and waits until some are settled.',
  },
} as const satisfies Readonly<Record<string, Alert>>

const ownership = {
  'no-leader': {
    severity: 'critical',
    expr: `absent(${rule('millrace:leading:max')} == 1)`,
    for: '1m',
    summary: 'No coordinator leads',
    description:
      'Workers go on with the slots they own, but none is given to anybody: a worker that dies now is not replaced.',
  },
  'slots-unowned': {
    severity: 'critical',
    expr: `${rule('millrace:planned_slots:max')}{state="unowned"} > 0`,
    for: '2m',
    summary: 'Slots of {{ $labels.pipeline }} have no owner',
    description: '{{ $value }} slots are processed by nobody: too few workers live, or none.',
  },
  'restart-budget': {
    severity: 'warning',
    expr: [rule('millrace:worker_restarts:increase5m'), rule('millrace:shard_restarts:increase5m')]
      .map((restarts) => `${restarts} > on (pipeline) ${budget} / 2`)
      .join(' or '),
    summary: 'Parts of {{ $labels.pipeline }} fail and start again',
    description:
      '{{ $value | humanize }} restarts within five minutes: more than half of what a supervisor allows before it gives up.',
  },
  fenced: {
    severity: 'warning',
    expr: `${rule('millrace:fenced:increase10m')} > 0`,
    summary: 'A worker of {{ $labels.pipeline }} lost slots while it still ran',
    description:
      'A newer owner fenced it: it stood still for longer than its lease. Nothing was lost or doubled, but something stalls it.',
  },
  'position-gap': {
    severity: 'critical',
    expr: `${halted}{code="position-gap"} > 0`,
    summary: 'Records of {{ $labels.pipeline }} are gone from Kafka before they were processed',
    description:
      '{{ $value }} slots halted: their position lies outside the log. They stay halted until a person decides.',
  },
  'slot-halted': {
    severity: 'critical',
    expr: `${halted}{code!="position-gap"} > 0`,
    summary: 'Slots of {{ $labels.pipeline }} halted: {{ $labels.code }}',
    description:
      '{{ $value }} slots stopped by name rather than lose or double records. A person must mend the cause.',
  },
} as const satisfies Readonly<Record<string, Alert>>

const around = {
  'redis-evicts': {
    severity: 'critical',
    expr: `${rule('millrace:redis_noeviction:min')} == 0`,
    for: '1m',
    summary: 'Redis may evict keys of Millrace',
    description:
      'Its maxmemory-policy is not noeviction: when memory is short it drops leases, retry jobs and views.',
  },
  'target-down': {
    severity: 'warning',
    expr: 'up{millrace_role!=""} == 0',
    for: '1m',
    summary: 'The {{ $labels.millrace_role }} at {{ $labels.instance }} does not answer',
    description:
      'It holds a lease, but Prometheus cannot read its metrics: it hangs, is frozen, or cannot be reached.',
  },
  'views-failing': {
    severity: 'warning',
    expr: `${rule('millrace:views_failed:rate5m')} > 0`,
    for: '5m',
    summary: 'Views of {{ $labels.pipeline }} do not reach Redis',
    description:
      '{{ $value | humanize }} publications a second fail: insights stand still, processing goes on.',
  },
  'alerts-unsent': {
    severity: 'warning',
    expr: `${rule('millrace:alerts_unsent:increase10m')} > 0`,
    summary: 'Alerts of {{ $labels.pipeline }} do not reach their hook',
    description: '{{ $value | humanize }} posts to MILLRACE_ALERT_HOOK failed within ten minutes.',
  },
  'sink-rejects': {
    severity: 'warning',
    expr: `${rule('millrace:sink_rejected:increase10m')} > 0`,
    summary: 'Index {{ $labels.index }} refuses documents',
    description: '{{ $value | humanize }} records became dead letters of the sink within ten minutes.',
  },
  'sink-lag-growing': {
    severity: 'warning',
    expr: `${sinkLag} > 1000 and ${sinkLag} > ${sinkLag} offset 10m`,
    for: '10m',
    summary: 'The sink of index {{ $labels.index }} falls behind',
    description: '{{ $value | humanize }} records wait: more than ten minutes before.',
  },
  'spans-dropped': {
    severity: 'info',
    expr: `${rule('millrace:spans_dropped:rate5m')} > 0`,
    for: '5m',
    summary: 'The {{ $labels.millrace_role }} at {{ $labels.instance }} drops spans',
    description:
      '{{ $value | humanize }} spans a second find the exporting queue full: traces have holes, nothing else suffers.',
  },
} as const satisfies Readonly<Record<string, Alert>>

/** Group -> its alerts by key. */
export const alertGroups = {
  'millrace-flow': flow,
  'millrace-ownership': ownership,
  'millrace-around': around,
} as const

export type AlertKey = keyof typeof flow | keyof typeof ownership | keyof typeof around

export const alerts: Readonly<Record<AlertKey, Alert>> = { ...flow, ...ownership, ...around }

/** `lag-growing` is the alert `MillraceLagGrowing`. */
export const alertName = (key: string): string =>
  `Millrace${key
    .split('-')
    .map((word) => word[0]?.toUpperCase() + word.slice(1))
    .join('')}`

/** From the project's root. */
export const runbookOf = (key: string): string => `docs/runbooks/${key}.md`
