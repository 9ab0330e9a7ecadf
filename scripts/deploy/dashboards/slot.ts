/** One slot, and its partitions: partition p belongs to slot p mod slots, so usually both have the same number. */
import { type Dashboard, dashboardJson } from './dashboard.ts'
import type { Panel, Query, Row } from './panel.ts'

const ofPipeline = 'pipeline="$pipeline"'
const ofSlot = `${ofPipeline}, slot="$slot"`
const ofPartition = `${ofPipeline}, partition=~"$partition"`

const slotQuery = (of: Query['of'], as?: string): Query => ({ of, where: ofSlot, ...(as && { as }) })
const partitionQuery = (of: Query['of'], as = '{{partition}}'): Query => ({ of, where: ofPartition, as })
const chart = (title: string, description: string, unit: string, queries: readonly Query[]): Panel => ({
  kind: 'timeseries',
  title,
  description,
  unit,
  queries,
})

const slot: Row = {
  title: 'Slot $slot of $pipeline',
  panels: [
    {
      kind: 'state-timeline',
      title: 'State',
      description: 'claiming, running, releasing, halted, fenced: 1 is the one it is in.',
      words: { '0': 'no', '1': 'yes' },
      queries: [slotQuery('millrace:slot_state:max', '{{state}}')],
    },
    {
      kind: 'state-timeline',
      title: 'Owner',
      description: 'The worker that runs it.',
      words: { '1': 'owns it' },
      queries: [slotQuery('millrace:slot_owner:info', '{{millrace_process}}')],
    },
    chart('Records read and not committed', 'At the bound of the mailbox its input is left out.', 'short', [
      slotQuery('millrace:slot_mailbox_records:max', 'records'),
    ]),
    chart('Bytes read and not committed', 'As beside.', 'bytes', [
      slotQuery('millrace:slot_mailbox_bytes:max', 'bytes'),
    ]),
    chart('Input paused', 'Share of the time: mailbox is back-pressure, parked the cap.', 'percentunit', [
      slotQuery('millrace:slot_paused:ratio_rate1m', '{{reason}}'),
    ]),
    chart('Halted slots of the pipeline', 'By name; each needs a person.', 'short', [
      { of: 'millrace:halted_slots:sum', where: ofPipeline, as: '{{code}}' },
    ]),
  ],
}

const partitions: Row = {
  title: 'Partitions $partition',
  panels: [
    chart('Records by fate', 'From the state topic: goes on over moves and restarts.', 'cps', [
      partitionQuery('millrace:partition_records:rate1m', '{{partition}} {{outcome}}'),
    ]),
    chart('Records by fate since the pipeline began', 'As the state topic counts them.', 'short', [
      partitionQuery('millrace:records:max', '{{partition}} {{outcome}}'),
    ]),
    chart('Position', 'Next input offset, committed.', 'none', [partitionQuery('millrace:position:max')]),
    chart('Lag', 'Records between position and last stable offset.', 'short', [
      partitionQuery('millrace:partition_lag_records:max'),
    ]),
    chart('Seconds behind', 'Age of the newest committed record while there is lag.', 's', [
      partitionQuery('millrace:partition_behind_seconds:max'),
    ]),
    chart('Parked records', 'They wait for another run.', 'short', [
      partitionQuery('millrace:partition_parked_records:max'),
    ]),
    chart('Late records', 'Left out by an aggregate.', 'cps', [
      partitionQuery('millrace:partition_late_records:rate1m'),
    ]),
    chart('Late records since the pipeline began', 'As the state topic counts them.', 'short', [
      partitionQuery('millrace:late_records:max'),
    ]),
  ],
}

export const oneSlot: Dashboard = {
  uid: 'millrace-slot',
  title: 'Millrace: one slot',
  description: 'One slot and its partitions: partition p belongs to slot p mod slots.',
  variables: [
    { name: 'pipeline', from: 'millrace:records:rate1m', many: false },
    { name: 'slot', from: 'millrace:slot_state:max', where: ofPipeline, many: false },
    { name: 'partition', from: 'millrace:position:max', where: ofPipeline, many: true },
  ],
  rows: [slot, partitions],
}

export const oneSlotFile = (): string => dashboardJson(oneSlot)
