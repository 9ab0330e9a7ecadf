import { beforeEach, describe, expect, test } from 'vitest'
import { MillraceError } from '../../cluster/errors.ts'
import { encodeBatch } from '../../cluster/kafka/codec/records.ts'
import { type Meta, STATE_FORMAT, stateKey } from '../../cluster/protocol/state.ts'
import { definitionHash, total } from '../../pipelines/api/aggregates.ts'
import { firstPosition, type StateRecord } from '../../workers/ledger.ts'
import { type FirstOffsets, type Owned, takeOver } from '../../workers/takeover.ts'
import { brokerBatch, record } from './support/batches.ts'
import { MemoryKafka, MemoryTopology } from './support/memory-kafka.ts'
import { MemoryWriter } from './support/memory-ports.ts'
import { names } from './support/results.ts'
import { type ContextChoice, slotContext } from './support/slot-context.ts'

const aggregates = { all: total.count() }
let kafka: MemoryKafka
let topology: MemoryTopology
let writer: MemoryWriter
beforeEach(async () => {
  kafka = new MemoryKafka()
  kafka.make('in', 3)
  kafka.make(names.state, 2)
  topology = new MemoryTopology(kafka)
  writer = new MemoryWriter(kafka)
  await writer.fence()
})

const fresh: FirstOffsets = { hasRun: async () => false, taken: async () => new Map() }
const take = (choice: ContextChoice = {}, first = fresh) =>
  takeOver(slotContext({ kafka: topology, slots: 2, aggregates, ...choice }), writer, first)
const owned = async (...args: Parameters<typeof take>): Promise<Owned> => {
  const found = await take(...args)
  if (found.result !== 'owned') throw new Error(JSON.stringify(found))
  return found
}
const inputId = () => kafka.topic('in').id
const meta = (more: Partial<Meta> = {}): StateRecord => ({
  key: stateKey.meta,
  value: {
    format: STATE_FORMAT,
    slots: 2,
    inputClusterId: topology.cluster,
    inputTopicId: inputId(),
    outputMapping: 'key',
    definitions: { all: { hash: definitionHash(aggregates.all), since: {} } },
    ...more,
  },
})
const position = (partition: number, next: number, leaderEpoch = 0): StateRecord => ({
  key: stateKey.position(partition),
  value: { ...firstPosition(0, inputId()), next, leaderEpoch },
})
const write = (...records: readonly StateRecord[]) => {
  const batch = encodeBatch(
    records.map(({ key, value }) => ({
      timestamp: 0,
      key,
      value: value === null ? null : JSON.stringify(value),
    })),
  )
  if (batch) kafka.append(names.state, 0, batch.bytes)
}
const fill = (partition: number, records: number) => {
  for (let i = 0; i < records; i++)
    kafka.append('in', partition, brokerBatch([record({})], { baseOffset: 0 }))
}

describe('the first takeover', () => {
  test('begins each partition of the slot at its log start, and writes that down', async () => {
    fill(2, 4)
    kafka.deleteBefore('in', 2, 3)
    const { state } = await owned()
    expect([...state.positions].map(([partition, { next, first }]) => [partition, next, first])).toEqual([
      [0, 0, 0],
      [2, 3, 3],
    ])
    expect(state.meta).toMatchObject({ slots: 2, inputTopicId: inputId(), outputMapping: 'same' })
    const again = await owned({ epoch: 2 })
    expect(again.state.positions).toEqual(state.positions)
    expect(writer.committed).toHaveLength(3)
  })

  test('takes over the offsets of a group, but never from below the log', async () => {
    fill(0, 9)
    const group: FirstOffsets = { ...fresh, taken: async () => new Map([[0, 7]]) }
    kafka.deleteBefore('in', 0, 5)
    expect((await owned({}, group)).state.positions.get(0)).toMatchObject({ next: 7, first: 7 })
  })

  test('a group below the log start stops it by name', async () => {
    fill(0, 9)
    kafka.deleteBefore('in', 0, 8)
    expect(await take({}, { ...fresh, taken: async () => new Map([[0, 7]]) })).toMatchObject({
      result: 'stopped',
      code: 'position-gap',
    })
  })

  test('an empty state of a pipeline that has run is a lost state', async () => {
    expect(await take({}, { ...fresh, hasRun: async () => true })).toMatchObject({
      result: 'stopped',
      code: 'state-lost',
    })
    expect(kafka.records(names.state).map(({ key }) => key?.toString())).toEqual(['claim'])
  })
})

describe('a later takeover', () => {
  test('restores what the state says, newest record of each key, with the offsets of the windows', async () => {
    const hash = definitionHash(aggregates.all)
    const window = (value: number): StateRecord => ({ key: 'window/all/total/0', value: { hash, value } })
    write(meta(), position(0, 0), position(2, 0), window(1))
    write(position(0, 5), window(2))
    fill(0, 5)
    const { state, offsets, restoredRecords } = await owned()
    expect(state.positions.get(0)?.next).toBe(5)
    expect(state.windows.get('window/all/total/0')?.value).toBe(2)
    expect([offsets.get('window/all/total/0'), restoredRecords]).toEqual([5, 7])
    expect(state.meta?.outputMapping).toBe('key')
  })

  test('a partition found later begins at its log start', async () => {
    write(meta(), position(0, 0))
    fill(2, 3)
    const { state } = await owned({}, { ...fresh, taken: async () => new Map([[2, 2]]) })
    expect(state.positions.get(2)?.next).toBe(0)
  })

  test('what another wrote behind the own claim is not read: it is fenced', async () => {
    write(meta(), position(0, 0), position(2, 0))
    writer.scripts.push((_parts, commit) => {
      const committed = commit()
      write(position(0, 99))
      return committed
    })
    expect((await owned()).state.positions.get(0)?.next).toBe(0)
  })

  test.each<[string, () => StateRecord[], string]>([
    ['a newer format', () => [meta({ format: STATE_FORMAT + 1 })], 'state-format'],
    ['another number of slots', () => [meta({ slots: 5 })], 'topic-mismatch'],
    ['another cluster', () => [meta({ inputClusterId: 'elsewhere' })], 'topic-recreated'],
    ['a topic that was made again', () => [meta({ inputTopicId: 'other' })], 'topic-recreated'],
    ['a position below the log', () => [meta(), position(0, 1)], 'position-gap'],
    ['a log that was rolled back', () => [meta(), position(0, 9, 3)], 'position-gap'],
  ])('%s stops it by name', async (_name, records, code) => {
    write(...records())
    fill(0, 4)
    kafka.deleteBefore('in', 0, 2)
    const before = kafka.records(names.state).length
    expect(await take()).toMatchObject({ result: 'stopped', code })
    // Nothing but the claim.
    expect(kafka.records(names.state)).toHaveLength(before + 1)
  })

  test('a claim of a higher plan epoch: it steps down', async () => {
    write({ key: stateKey.claim, value: { epoch: 9, worker: 'other', claimId: 'x' } }, meta(), position(0, 0))
    expect(await take({ epoch: 8 })).toEqual({ result: 'fenced', code: 0 })
    expect((await take({ epoch: 9 })).result).toBe('owned')
  })
})

describe('a takeover that Kafka does not answer', () => {
  test('a deadline is tried again, not a fault of the shard', async () => {
    topology.failNext = new MillraceError('timeout', 'no leader answers')
    expect(await take()).toEqual({ result: 'unclear', reason: 'no leader answers' })
  })

  test('refused credentials stop it by name', async () => {
    topology.failNext = new MillraceError('kafka-auth', 'refused')
    expect(await take()).toEqual({ result: 'stopped', code: 'kafka-auth', detail: 'refused' })
  })

  test('a fault of ours is thrown', async () => {
    topology.failNext = new TypeError('oops')
    await expect(take()).rejects.toThrow('oops')
  })

  test.each(['unclear', 'fenced', 'halted'] as const)(
    'a claim that ends %s ends the takeover so',
    async (result) => {
      const ending = {
        unclear: { result, reason: '' },
        fenced: { result, code: 90 },
        halted: { result, code: 29, detail: '' },
      }
      writer.scripts.push(async () => ending[result] as never)
      expect(await take()).toEqual(ending[result])
    },
  )
})
