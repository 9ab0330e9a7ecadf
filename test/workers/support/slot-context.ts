/** A slot's surroundings for tests that never ask Kafka, or that bring a topology of their own. */
import { EventBus } from '../../../cluster/events.ts'
import type { Topology } from '../../../cluster/kafka/topology.ts'
import { readSettings, type Settings } from '../../../cluster/settings.ts'
import type { SlotContext } from '../../../workers/slot.ts'
import { MemoryTopology } from './memory-kafka.ts'
import { names } from './results.ts'

export interface ContextChoice extends Partial<Omit<SlotContext, 'settings'>> {
  readonly settings?: Partial<Settings>
  readonly kafka?: Topology
}

export const slotContext = ({
  settings = {},
  kafka = new MemoryTopology(),
  ...more
}: ContextChoice = {}): SlotContext => ({
  slot: 0,
  slots: 1,
  epoch: 1,
  worker: 'w',
  names,
  aggregates: {},
  birthMapping: 'same',
  maxStateBytes: 1_000_000,
  input: kafka,
  home: kafka,
  events: new EventBus(),
  restoring: (act) => act(),
  ...more,
  settings: readSettings({}, settings),
})
