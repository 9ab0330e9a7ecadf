/** How all is: what a person looks at first. */
import { type Dashboard, dashboardJson } from './dashboard.ts'
import { type Panel, type Query, type Row, variable } from './panel.ts'

const where = 'pipeline=~"$pipeline"'

/** Of the series that was clicked on. */
const label = (name: string): string => variable(`__field.labels.${name}`)

const q = (of: Query['of'], as?: string, more: Partial<Query> = {}): Query => ({
  of,
  where,
  ...(as !== undefined && { as }),
  ...more,
})
const chart = (
  title: string,
  description: string,
  unit: string,
  queries: readonly Query[],
  more: Partial<Panel> = {},
): Panel => ({ kind: 'timeseries', title, description, unit, queries, ...more })
const stat = (title: string, description: string, query: Query, more: Partial<Panel> = {}): Panel => ({
  kind: 'stat',
  title,
  description,
  queries: [query],
  ...more,
})

const now: Row = {
  title: 'Now',
  panels: [
    stat(
      'Records',
      'Input records with a fate, a second.',
      q('millrace:records:rate1m', undefined, { by: 'sum' }),
      {
        unit: 'cps',
      },
    ),
    stat('Lag', 'Records that wait in the input.', q('millrace:lag_records:sum', undefined, { by: 'sum' })),
    stat(
      'Behind',
      'Age of the newest committed record of the partition that is furthest behind; 0 without lag.',
      q('millrace:behind_seconds:max', undefined, { by: 'max' }),
      { unit: 's', redFrom: 60 },
    ),
    stat(
      'Parked',
      'Records that wait for another run.',
      q('millrace:parked_records:sum', undefined, { by: 'sum' }),
    ),
    stat('Live workers', 'With a lease.', q('millrace:live_workers:max', undefined, { by: 'sum' }), {
      redBelow: 1,
    }),
    stat(
      'Leader',
      'Whether a coordinator leads.',
      { of: 'millrace:leading:max' },
      {
        redBelow: 1,
        words: { '0': 'none', '1': 'leads' },
      },
    ),
  ],
}

const flow: Row = {
  title: 'Data flow',
  panels: [
    chart(
      'Records by fate',
      'From the state topic: goes on over moves and restarts.',
      'cps',
      [q('millrace:records:rate1m', '{{pipeline}} {{outcome}}')],
      { stacked: true },
    ),
    chart('Lag', 'Records between position and last stable offset.', 'short', [
      q('millrace:lag_records:sum', '{{pipeline}}'),
    ]),
    chart(
      'Lag by partition',
      'A click leads to the slot.',
      'short',
      [q('millrace:partition_lag_records:max', '{{pipeline}} {{partition}}')],
      {
        links: [
          {
            title: 'Its slot',
            url: `/d/millrace-slot?var-pipeline=${label('pipeline')}&var-partition=${label('partition')}&${variable('__url_time_range')}`,
          },
        ],
      },
    ),
    chart('Seconds behind', 'Age of the newest committed record while there is lag.', 's', [
      q('millrace:behind_seconds:max', '{{pipeline}}'),
    ]),
    chart('Time of a batch by stage, p99', 'Mailbox, pool, run, ready, commit; and of a publication.', 's', [
      q('millrace:stage_seconds:p99_1m', '{{pipeline}} {{stage}}'),
    ]),
    chart('Time of a batch by stage, median', 'As beside.', 's', [
      q('millrace:stage_seconds:p50_1m', '{{pipeline}} {{stage}}'),
    ]),
    chart('Time of a transaction', 'From its first request to its end.', 's', [
      q('millrace:commit_seconds:p50_1m', '{{pipeline}} median'),
      q('millrace:commit_seconds:p99_1m', '{{pipeline}} p99'),
    ]),
    chart('Transactions', 'And answers CONCURRENT_TRANSACTIONS, which are waited out.', 'cps', [
      q('millrace:commits:rate1m', '{{pipeline}} transactions'),
      q('millrace:concurrent_transactions:rate1m', '{{pipeline}} waited out'),
    ]),
    chart('Records of a batch and of a transaction', 'Mean of a minute.', 'short', [
      q('millrace:batch_records:mean1m', '{{pipeline}} batch'),
      q('millrace:commit_records:mean1m', '{{pipeline}} transaction'),
    ]),
    chart('Bytes written', 'By transactions.', 'Bps', [q('millrace:commit_bytes:rate1m', '{{pipeline}}')]),
    chart('Pool', 'Share of the threads that run a task, and tasks that wait for one.', 'percentunit', [
      q('millrace:pool_busy:ratio', '{{pipeline}} busy'),
    ]),
    chart('Tasks that wait for a thread', 'Often above 0: more threads or workers help.', 'short', [
      q('millrace:pool_queued_tasks:sum', '{{pipeline}}'),
    ]),
    chart('Read and not committed', 'Bytes in all mailboxes.', 'bytes', [
      q('millrace:mailbox_bytes:sum', '{{pipeline}}'),
    ]),
    chart(
      'Input paused',
      'Share of the time in which the slot that pauses most reads nothing: `mailbox` is back-pressure, `parked` the cap of parked records.',
      'percentunit',
      [q('millrace:paused:ratio_rate1m', '{{pipeline}} {{reason}}')],
    ),
  ],
}

const failures: Row = {
  title: 'Failures and retries',
  panels: [
    chart('Share of dead letters', 'Of the records of five minutes.', 'percentunit', [
      q('millrace:dead_records:ratio_rate5m', '{{pipeline}}'),
    ]),
    chart('Failures by code', 'What runs came to, without `done`.', 'cps', [
      q('millrace:failures:rate1m', '{{pipeline}} {{outcome}} {{code}}'),
    ]),
    chart('Outcomes', 'First runs, and what retries came to.', 'cps', [
      q('millrace:outcomes:rate1m', '{{pipeline}} {{outcome}} {{run}}'),
    ]),
    chart('Parked records', 'They wait for another run.', 'short', [
      q('millrace:parked_records:sum', '{{pipeline}}'),
    ]),
    chart('Later runs', 'Of parked records; and how many were queued again.', 'cps', [
      q('millrace:retry_runs:rate1m', '{{pipeline}} {{outcome}}'),
      q('millrace:requeued:rate1m', '{{pipeline}} queued again'),
    ]),
    chart('Share of first runs that are parked', 'Of five minutes.', 'percentunit', [
      q('millrace:first_runs_parked:ratio_rate5m', '{{pipeline}}'),
    ]),
    chart('Runs of a settled record, p99', 'Of ten minutes.', 'short', [
      q('millrace:retry_attempts:p99_10m', '{{pipeline}}'),
    ]),
    chart('Late records', 'Left out by an aggregate.', 'cps', [
      q('millrace:late_records:rate1m', '{{pipeline}}'),
    ]),
    chart(
      'Alerts of dead letters',
      'By class, in ten minutes; and those that the hook did not take.',
      'short',
      [
        q('millrace:alerts:increase10m', '{{pipeline}} {{class}}'),
        q('millrace:alerts_unsent:increase10m', '{{pipeline}} unsent'),
      ],
    ),
    chart('Threads that died', 'Of a task, by cause, in ten minutes.', 'short', [
      q('millrace:thread_deaths:increase10m', '{{pipeline}} {{cause}}'),
    ]),
  ],
}

const ownership: Row = {
  title: 'Ownership',
  panels: [
    chart(
      'Slots by state',
      'As their workers say.',
      'short',
      [q('millrace:slots:count', '{{pipeline}} {{state}}')],
      {
        stacked: true,
      },
    ),
    chart(
      'Slots of the plan',
      'As the leader says; `unowned` should be 0.',
      'short',
      [q('millrace:planned_slots:max', '{{pipeline}} {{state}}')],
      { stacked: true },
    ),
    chart('Live workers', 'With a lease; and processes that answer a scrape.', 'short', [
      q('millrace:live_workers:max', '{{pipeline}} lease'),
      { of: 'millrace:targets_up:sum', as: '{{millrace_role}} answers' },
      { of: 'millrace:targets:count', as: '{{millrace_role}} named' },
    ]),
    chart('Moves', 'Slots that plans took from a living worker, in ten minutes.', 'short', [
      q('millrace:moves:increase10m', '{{pipeline}}'),
    ]),
    chart('Halted slots', 'By name; each needs a person.', 'short', [
      q('millrace:halted_slots:sum', '{{pipeline}} {{code}}'),
    ]),
    chart(
      'Fenced, reopened, started again',
      'Fenced and reopened slots in ten minutes, restarts in five.',
      'short',
      [
        q('millrace:fenced:increase10m', '{{pipeline}} fenced'),
        q('millrace:reopened:increase10m', '{{pipeline}} reopened'),
        q('millrace:shard_restarts:increase5m', '{{pipeline}} shards'),
        q('millrace:worker_restarts:increase5m', '{{pipeline}} workers'),
        q('millrace:restart_budget:min', '{{pipeline}} budget'),
      ],
    ),
    chart('Takeover, p99', 'From the fence to the first fetch, of ten minutes.', 's', [
      q('millrace:takeover_seconds:p99_10m', '{{pipeline}}'),
    ]),
    chart('Epoch of the plan', 'Workers follow the coordinator.', 'short', [
      q('millrace:plan_epoch:max', '{{pipeline}} {{millrace_role}}'),
      { of: 'millrace:leader_term:max', as: 'term of the leader' },
    ]),
  ],
}

const around: Row = {
  title: 'Views, sink, processes',
  panels: [
    chart('Published', 'Windows of aggregates, and insights by count.', 'cps', [
      q('millrace:aggregates_published:rate1m', '{{pipeline}} windows'),
      q('millrace:insights_published:rate1m', '{{pipeline}} insights'),
    ]),
    chart('Publications that failed', 'Redis did not take them.', 'cps', [
      q('millrace:views_failed:rate5m', '{{pipeline}}'),
    ]),
    chart('Documents of the sink', 'Indexed, a second; rejected, in ten minutes.', 'short', [
      { of: 'millrace:sink_documents:rate1m', as: '{{index}} indexed a second' },
      { of: 'millrace:sink_rejected:increase10m', as: '{{index}} rejected' },
    ]),
    chart('Lag of the sink', 'Records not committed.', 'short', [
      { of: 'millrace:sink_lag_records:sum', as: '{{index}}' },
    ]),
    chart('CPU', 'Cores in use, threads included.', 'short', [
      { of: 'millrace:process_cpu:rate1m', as: '{{millrace_role}} {{instance}}' },
    ]),
    chart('Memory', 'Resident.', 'bytes', [
      { of: 'millrace:process_resident_memory_bytes:max', as: '{{millrace_role}} {{instance}}' },
      { of: 'millrace:sink_held_bytes:sum', as: 'held by the sink of {{index}}' },
    ]),
    chart('Delay of the main loop, p99', 'Near the lease it becomes dangerous.', 's', [
      { of: 'millrace:event_loop_delay_seconds:p99', as: '{{millrace_role}} {{instance}}' },
    ]),
    chart(
      'Telemetry left out',
      'Spans dropped, and sampled records without spans of their own, a second.',
      'cps',
      [
        { of: 'millrace:spans_dropped:rate5m', as: '{{millrace_role}} {{instance}} spans' },
        q('millrace:traces_left_out:rate5m', '{{pipeline}} records'),
      ],
    ),
    chart('Redis is noeviction', 'Below 1, retries may be lost from their queue.', 'short', [
      { of: 'millrace:redis_noeviction:min', as: 'noeviction' },
    ]),
    {
      kind: 'table',
      title: 'Versions',
      description: 'Processes by role and version.',
      queries: [{ of: 'millrace:processes:count' }],
    },
    {
      kind: 'table',
      title: 'Youngest process',
      description: 'Seconds since the youngest process of a role was started.',
      unit: 's',
      queries: [{ of: 'millrace:process_age_seconds:min' }],
    },
  ],
}

export const overview: Dashboard = {
  uid: 'millrace-overview',
  title: 'Millrace',
  description: 'All pipelines: fates, lag, failures, ownership.',
  variables: [{ name: 'pipeline', from: 'millrace:records:rate1m', many: true }],
  rows: [now, flow, failures, ownership, around],
}

export const overviewFile = (): string => dashboardJson(overview)
