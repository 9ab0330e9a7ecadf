import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AT, readInt64 } from '../../../cluster/kafka/codec/layout.ts'
import type { Part } from '../../../cluster/kafka/ports.ts'
import { nextSequence, TransactionWriter } from '../../../cluster/kafka/writer.ts'
import { part } from '../../ports/records.ts'
import { addReply, coordinatorReply, describeReply, endReply, initReply, produceReply } from './replies.ts'
import { type Asked, scripted, topicIdOf } from './scripted.ts'

const T = 't'

/** Codes to answer with, one a request; then 0. */
interface Answers {
  FindCoordinator?: number[]
  InitProducerId?: number[]
  AddPartitionsToTxn?: number[]
  Produce?: number[]
  EndTxn?: number[]
}
const LOST = -99

const setup = async (
  answers: Answers = {},
  options: { mayFence?: () => boolean; timeout?: number; state?: string } = {},
) => {
  let epoch = 0
  const reply = (name: keyof Answers, make: (code: number) => Buffer): Buffer => {
    const code = answers[name]?.shift() ?? 0
    if (code === LOST) throw new Error('lost')
    return make(code)
  }
  const script = ({ name }: Asked): Buffer => {
    if (name === 'FindCoordinator') return reply(name, (code) => coordinatorReply(1, code))
    if (name === 'InitProducerId')
      return reply(name, (code) => initReply(77, code === 0 ? epoch++ : -1, code))
    if (name === 'AddPartitionsToTxn') return reply(name, (code) => addReply(T, [code]))
    if (name === 'DescribeTransactions') return describeReply(options.state ?? 'Empty')
    if (name === 'EndTxn') return reply(name, (code) => endReply(code))
    return reply('Produce', (code) => produceReply([{ topic: T, partition: 0, code, base: 5 }]))
  }
  const world = await scripted({ topic: T, topicId: topicIdOf(1), leaders: [1, 1] }, script)
  const { mayFence, timeout = 2000 } = options
  const writer = new TransactionWriter(world.topology, {
    transactionalId: 'id',
    transactionTimeout: timeout,
    requestTimeout: 500,
    ...(mayFence === undefined ? {} : { mayFence }),
  })
  return { ...world, writer }
}
const opened = async (answers: Answers = {}, timeout = 2000, state = 'Empty') => {
  const world = await setup(answers, { timeout, state })
  expect(await world.writer.fence()).toEqual({ result: 'open' })
  world.connections.events.length = 0
  return world
}
const one = (): Part[] => [part(T, 0, 'a')]
const stamped = ({ bytes }: Part) => {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    producerId: readInt64(view, AT.producerId),
    epoch: view.readInt16BE(AT.producerEpoch),
    sequence: view.readInt32BE(AT.baseSequence),
  }
}

describe('a call that was lost', () => {
  test.each(['AddPartitionsToTxn', 'EndTxn'] as const)(
    '%s may arrive late and end what is open then: the next transaction has another epoch',
    async (name) => {
      const { writer, connections } = await opened({ [name]: [LOST] })
      const [before, after] = [one(), one()]
      expect(await writer.transact(before)).toMatchObject({ result: 'committed' })
      connections.events.length = 0
      expect(await writer.transact(after)).toMatchObject({ result: 'committed' })
      expect(connections.events.slice(0, 3)).toEqual(['EndTxn', 'InitProducerId', 'AddPartitionsToTxn'])
      const epochs = [...before, ...after].map((sent) => stamped(sent))
      expect(epochs.map(({ epoch, sequence }) => [epoch, sequence])).toEqual([
        [0, 0],
        [1, 0],
      ])
    },
  )

  test('where none was, the epoch stays', async () => {
    const { writer, connections } = await opened()
    await writer.transact(one())
    await writer.transact(one())
    expect(connections.events).not.toContain('InitProducerId')
  })

  test('where the next epoch is refused, a newer owner has come: nothing is sent', async () => {
    const { writer, connections } = await opened({ EndTxn: [LOST], InitProducerId: [0, 90] })
    await writer.transact(one())
    connections.events.length = 0
    expect(await writer.transact(one())).toEqual({ result: 'fenced', code: 90 })
    expect(connections.events).not.toContain('Produce')
  })
})

describe('opening', () => {
  test('fence asks without a producer; reopen first ends its own transaction, then asks as itself', async () => {
    const { writer, connections } = await opened()
    expect(await writer.reopen()).toEqual({ result: 'open' })
    expect(connections.events).toEqual(['EndTxn', 'InitProducerId'])
    const [fence, reopen] = connections.named('InitProducerId')
    expect(fence?.body.includes(Buffer.alloc(10, 0xff))).toBe(true)
    expect(reopen?.body.includes(Buffer.alloc(10, 0xff))).toBe(false)
  })

  for (const code of [47, 90])
    test(`a zombie told ${code} when it ends its own transaction, while another is open, asks for nothing that could harm`, async () => {
      const { writer, connections } = await opened({ EndTxn: [code] }, 2000, 'Ongoing')
      expect(await writer.reopen()).toEqual({ result: 'fenced', code })
      expect(connections.events).toEqual(['EndTxn', 'DescribeTransactions'])
    })

  test('told the same while nothing is open, InitProducerId decides whether anybody else has come', async () => {
    for (const state of ['Empty', 'CompleteAbort', 'CompleteCommit', 'PrepareCommit']) {
      const owner = await opened({ EndTxn: [90] }, 2000, state)
      expect(await owner.writer.reopen()).toEqual({ result: 'open' })
      const zombie = await opened({ EndTxn: [90], InitProducerId: [0, 90] }, 2000, state)
      expect(await zombie.writer.reopen()).toEqual({ result: 'fenced', code: 90 })
    }
  })

  test('reopen goes on where nothing was open, or the broker has forgotten an idle id', async () => {
    for (const code of [48, 49]) {
      const { writer } = await opened({ EndTxn: [code] })
      expect(await writer.reopen()).toEqual({ result: 'open' })
    }
  })

  test('the lease is asked before every request that fences, also the repeated one', async () => {
    const leases = [true, true, false]
    const world = await setup(
      { InitProducerId: [LOST, LOST, LOST] },
      { mayFence: () => leases.shift() ?? false },
    )
    expect(await world.writer.fence()).toMatchObject({ result: 'unclear' })
    expect(world.connections.named('InitProducerId')).toHaveLength(2)
  })

  test('a reopen of what was never opened is a fence, and asks for the lease', async () => {
    const world = await setup({}, { mayFence: () => false })
    expect(await world.writer.reopen()).toMatchObject({ result: 'unclear' })
    expect(world.connections.named('InitProducerId')).toEqual([])
  })

  for (const [code, result] of [
    [90, 'fenced'],
    [47, 'fenced'],
    [53, 'halted'],
    [67, 'unclear'],
  ] as const)
    test(`code ${code} is ${result}`, async () => {
      const { writer } = await setup({ InitProducerId: [code] })
      expect(await writer.fence()).toMatchObject({ result })
      await expect(writer.transact(one())).rejects.toThrow(/not open/)
    })

  for (const code of [14, 15, 16])
    test(`code ${code} has the coordinator looked for again`, async () => {
      const { writer, connections } = await setup({ InitProducerId: [code] })
      expect(await writer.fence()).toEqual({ result: 'open' })
      expect(connections.named('FindCoordinator')).toHaveLength(2)
    })

  test('a coordinator that is not known yet is waited for', async () => {
    const { writer, connections } = await setup({ FindCoordinator: [15, 15] })
    expect(await writer.fence()).toEqual({ result: 'open' })
    expect(connections.named('FindCoordinator')).toHaveLength(3)
  })
})

describe('a transaction', () => {
  test('is partitions, batches, end: in this order, each once', async () => {
    const { writer, connections } = await opened()
    expect(await writer.transact(one())).toEqual({ result: 'committed', offsets: [5], concurrentRetries: 0 })
    expect(connections.events).toEqual(['AddPartitionsToTxn', 'Produce', 'EndTxn'])
  })

  test('is never ended where any batch was not written', async () => {
    for (const code of [10, 18, 29, 32, 45, 46, 47, 48, 53, 59, 87, 90, -1]) {
      const { writer, connections } = await opened({ Produce: [code] })
      expect(await writer.transact(one())).not.toMatchObject({ result: 'committed' })
      expect(connections.named('EndTxn')).toEqual([])
      await expect(writer.transact(one())).rejects.toThrow(/not open/)
    }
  })

  test('counts how often it had to wait for the one before it', async () => {
    const { writer } = await opened({ AddPartitionsToTxn: [51, 51, 51], EndTxn: [51] })
    expect(await writer.transact(one())).toMatchObject({ result: 'committed', concurrentRetries: 4 })
    expect(await writer.transact(one())).toMatchObject({ result: 'committed', concurrentRetries: 0 })
  })

  for (const step of ['AddPartitionsToTxn', 'Produce', 'EndTxn'] as const)
    test(`a lost ${step} goes again, its socket dropped before`, async () => {
      const { writer, connections } = await opened({ [step]: [LOST] })
      expect(await writer.transact(one())).toMatchObject({ result: 'committed' })
      const { events } = connections
      expect(events.filter((name) => name === step)).toHaveLength(2)
      expect(events.indexOf('drop 1')).toBeGreaterThan(events.indexOf(step))
      expect(events.indexOf('drop 1')).toBeLessThan(events.lastIndexOf(step))
    })

  for (const step of ['AddPartitionsToTxn', 'EndTxn'] as const)
    for (const [code, result] of [
      [47, 'fenced'],
      [90, 'fenced'],
      [53, 'halted'],
      [48, 'unclear'],
      [49, 'unclear'],
    ] as const)
      test(`${step} with code ${code} is ${result}`, async () => {
        const { writer } = await opened({ [step]: [code] })
        expect(await writer.transact(one())).toMatchObject({ result })
      })

  test('waits for a topic that the coordinator does not know yet', async () => {
    const { writer } = await opened({ AddPartitionsToTxn: [3, 3] })
    expect(await writer.transact(one())).toMatchObject({ result: 'committed' })
  })

  test('ends by its deadline whatever is not answered', async () => {
    for (const step of ['AddPartitionsToTxn', 'Produce', 'EndTxn'] as const) {
      const { writer } = await opened({ [step]: new Array<number>(1000).fill(LOST) }, 400)
      const started = performance.now()
      expect(await writer.transact(one())).toMatchObject({ result: 'unclear' })
      expect(performance.now() - started).toBeLessThan(1000)
    }
  })

  test('stamps sequences that go on from one to the next and begin anew with the epoch', async () => {
    const { writer } = await opened()
    const parts = [part(T, 0, 'a', 'b'), part(T, 0, 'c')]
    await writer.transact(parts)
    expect(parts.map(stamped)).toEqual([
      { producerId: 77, epoch: 0, sequence: 0 },
      { producerId: 77, epoch: 0, sequence: 2 },
    ])
    await writer.transact(parts)
    expect(parts.map((each) => stamped(each).sequence)).toEqual([3, 5])
    await writer.reopen()
    await writer.transact(parts)
    expect(parts.map(stamped)).toMatchObject([
      { epoch: 1, sequence: 0 },
      { epoch: 1, sequence: 2 },
    ])
  })

  test('sequences wrap as in the Java client', () => {
    const MAX = 2 ** 31 - 1
    const java = (sequence: number, add: number) =>
      sequence > MAX - add ? add - (MAX - sequence) - 1 : sequence + add
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX }), fc.integer({ min: 0, max: MAX }), (sequence, records) => {
        expect(nextSequence(sequence, records)).toBe(java(sequence, records))
      }),
    )
    expect(nextSequence(MAX, 1)).toBe(0)
  })
})
