/** The input of a shard by itself: what a reader is asked for, and what of its chunks is taken. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Reader, ReadSink } from '../../cluster/kafka/ports.ts'
import { Input } from '../../workers/input.ts'
import { firstPosition } from '../../workers/ledger.ts'
import { chunk } from './support/batches.ts'
import { MemoryKafka, MemoryTopology } from './support/memory-kafka.ts'
import { slotContext } from './support/slot-context.ts'

const OK = { n: 1 }
const opened = new Map<number, { readonly offset: number; readonly sink: ReadSink }>()
const reader: Reader = {
  open: (partition, offset, sink) => void opened.set(partition, { offset, sink }),
  close: (partition) => void opened.delete(partition),
  wake: () => undefined,
  stop: async () => undefined,
}
const next = new Map([
  [0, 10],
  [1, 0],
])
let isCapped = false
let input: Input
const faults: string[] = []
const sink = { chunk: () => undefined, fault: ({ fault }: { fault: string }) => void faults.push(fault) }

beforeEach(() => {
  opened.clear()
  faults.length = 0
  isCapped = false
  const kafka = new MemoryKafka()
  kafka.make('in', 2)
  const context = slotContext({ kafka: new MemoryTopology(kafka) })
  const topicId = context.input.knownTopic(context.names.input)?.topicId ?? 'id'
  const positions = () =>
    new Map([...next].map(([partition, at]) => [partition, { ...firstPosition(0, topicId), next: at }]))
  input = new Input({ context, reader, positions, isCapped: () => isCapped })
  input.open(sink)
})

const offsets = () => [...opened].map(([partition, { offset }]) => [partition, offset])

describe('what is read', () => {
  test('every partition from its position; nothing is wanted while too many are parked', () => {
    expect(offsets()).toEqual([
      [0, 10],
      [1, 0],
    ])
    expect(opened.get(0)?.sink.wants()).toBe(true)
    isCapped = true
    expect(opened.get(0)?.sink.wants()).toBe(false)
  })

  test('a paused partition is closed; resumed it is read from behind what is still here', () => {
    input.take(chunk(0, 10, OK, OK))
    const running = input.mailbox.takeWaiting()
    input.take(chunk(0, 12, OK))
    input.pause(new Set([0]))
    expect([...opened.keys()]).toEqual([1])
    // What no thread has begun takes no room.
    expect(input.mailbox.records).toBe(2)
    input.pause(new Set())
    expect(opened.get(0)?.offset).toBe(12)
    input.pause(new Set([0]))
    if (running !== undefined) running.state = 'ready'
    next.set(0, 12)
    input.mailbox.remove(running === undefined ? [] : [running])
    input.pause(new Set())
    expect(opened.get(0)?.offset).toBe(12)
    next.set(0, 10)
  })

  test('the same order again changes nothing', () => {
    const before = opened.get(1)
    input.pause(new Set([0]))
    input.pause(new Set([0]))
    expect(opened.get(1)).toBe(before)
  })
})

describe('what is taken', () => {
  test('what follows; nothing of a partition that is paused, nor what leaves a gap or comes again', () => {
    expect(input.take(chunk(0, 10, OK, OK))).toBe(true)
    input.pause(new Set([0]))
    expect(input.take(chunk(0, 10, OK, OK)), 'paused').toBe(false)
    input.pause(new Set())
    // On its way when the partition was paused, judged when it is read again: from its position.
    expect(input.take(chunk(0, 12, OK)), 'a gap').toBe(false)
    expect(input.take(chunk(0, 10, OK, OK))).toBe(true)
    expect(input.take(chunk(0, 10, OK, OK)), 'twice').toBe(false)
    expect(input.take(chunk(0, 12, OK))).toBe(true)
    expect(input.mailbox.records).toBe(3)
  })

  test('ends are learnt from chunks and from whoever asks, and never fall', () => {
    input.take(chunk(0, 10, OK, OK))
    input.learn(
      new Map([
        [0, 5],
        [1, 7],
        [9, 9],
      ]),
    )
    expect([...input.ends]).toEqual([
      [0, 12],
      [1, 7],
    ])
  })
})
