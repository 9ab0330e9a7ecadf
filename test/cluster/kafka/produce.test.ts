import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Part } from '../../../cluster/kafka/ports.ts'
import { produceAll, rounds } from '../../../cluster/kafka/produce.ts'
import { part } from '../../ports/records.ts'
import { produceReply, type ReplyProduced } from './replies.ts'
import { type Asked, scripted, topicIdOf } from './scripted.ts'

const T = 't'
const setup = (
  script: (asked: Asked, turn: number) => readonly ReplyProduced[] | 'lost',
  leaders = [1, 1, 2],
) => {
  let turn = 0
  return scripted({ topic: T, topicId: topicIdOf(1), leaders }, (asked) => {
    const answer = script(asked, turn++)
    if (answer === 'lost') throw new Error('lost')
    return produceReply(answer)
  })
}
type World = Awaited<ReturnType<typeof setup>>
const produce = (
  { topology }: World,
  parts: readonly Part[],
  { deadline = Date.now() + 5000, unknownUntil = Date.now() + 5000 } = {},
) => produceAll(parts, { topology, transactionalId: 'id', deadline, unknownUntil, requestTimeout: 1000 })

const ok = (partition: number, base: number): ReplyProduced => ({ topic: T, partition, base })
const bad = (partition: number, code: number): ReplyProduced => ({ topic: T, partition, code, base: -1 })

describe('the Produce step', () => {
  test('sends every batch to its leader and tells each base offset in the order of the parts', async () => {
    const world = await setup(({ nodeId }) => (nodeId === 2 ? [ok(2, 30)] : [ok(1, 20), ok(0, 10)]))
    const parts = [part(T, 0, 'a'), part(T, 2, 'c'), part(T, 1, 'b')]
    expect(await produce(world, parts)).toEqual({ result: 'produced', offsets: [10, 30, 20] })
    expect(world.connections.named('Produce').map(({ nodeId }) => nodeId)).toEqual([1, 2])
  })

  const verdicts = [
    [10, 'refused'],
    [18, 'refused'],
    [32, 'refused'],
    [87, 'refused'],
    [47, 'fenced'],
    [90, 'fenced'],
    [29, 'halted'],
    [53, 'halted'],
    [45, 'unclear'],
    [46, 'unclear'],
    [48, 'unclear'],
    [59, 'unclear'],
    [-1, 'unclear'],
  ] as const
  for (const [code, result] of verdicts)
    test(`one partition with code ${code} among good ones is ${result}`, async () => {
      for (const at of [0, 1, 2]) {
        const world = await setup(({ nodeId }) =>
          [0, 1, 2]
            .filter((partition) => (partition === 2 ? 2 : 1) === nodeId)
            .map((partition) => (partition === at ? bad(partition, code) : ok(partition, 5))),
        )
        const answer = await produce(world, [part(T, 0, 'a'), part(T, 1, 'b'), part(T, 2, 'c')])
        expect(answer).toMatchObject(result === 'refused' ? { result, part: at, code } : { result })
      }
    })

  for (const code of [5, 6, 7, 19, 20, 56])
    test(`code ${code} has the same bytes sent again, of that partition alone`, async () => {
      const world = await setup((_, turn) => (turn === 0 ? [ok(0, 1), bad(1, code)] : [ok(1, 2)]))
      const parts = [part(T, 0, 'first'), part(T, 1, 'second')]
      expect(await produce(world, parts)).toEqual({ result: 'produced', offsets: [1, 2] })
      const [, again] = world.connections.named('Produce')
      expect(again?.body.includes(Buffer.from(parts[1]?.bytes ?? []))).toBe(true)
      expect(again?.body.includes(Buffer.from(parts[0]?.bytes ?? []))).toBe(false)
      expect(world.connections.events).toEqual(['Produce', 'Metadata', 'Produce'])
    })

  test('after a lost reply the socket goes before the very same bytes go again', async () => {
    const world = await setup((_, turn) => (turn < 2 ? 'lost' : [ok(0, 7)]))
    expect(await produce(world, [part(T, 0, 'a')])).toEqual({ result: 'produced', offsets: [7] })
    expect(world.connections.events).toEqual([
      'Produce',
      'drop 1',
      'Metadata',
      'Produce',
      'drop 1',
      'Metadata',
      'Produce',
    ])
    const [first, ...again] = world.connections.named('Produce')
    const afterTimeout = (asked: Asked | undefined) => asked?.body.subarray('id'.length + 2 + 2 + 4)
    for (const one of again) expect(afterTimeout(one)).toEqual(afterTimeout(first))
  })

  test('a leader that moved gets the bytes at its new place', async () => {
    const world = await setup((_, turn) => {
      if (turn > 0) return [ok(0, 3)]
      world.state.topics = [{ topic: T, topicId: topicIdOf(1), leaders: [2, 1, 2] }]
      return [bad(0, 6)]
    })
    expect(await produce(world, [part(T, 0, 'a')])).toMatchObject({ result: 'produced' })
    expect(world.connections.named('Produce').map(({ nodeId }) => nodeId)).toEqual([1, 2])
  })

  test('while nobody leads a partition nothing is sent, and it waits', async () => {
    const world = await setup(() => [ok(0, 3)], [-1, 1, 1])
    const done = produce(world, [part(T, 0, 'a')])
    while (world.connections.named('Metadata').length < 2) await new Promise(setImmediate)
    expect(world.connections.named('Produce')).toEqual([])
    world.state.topics = [{ topic: T, topicId: topicIdOf(1), leaders: [1, 1, 1] }]
    expect(await done).toEqual({ result: 'produced', offsets: [3] })
  })

  test('a reply that leaves a partition out is unclear', async () => {
    const world = await setup(() => [ok(0, 1)])
    const answer = await produce(world, [part(T, 0, 'a'), part(T, 1, 'b')])
    expect(answer).toMatchObject({ result: 'unclear' })
  })

  test('a topic that one broker does not know yet is asked for again, and for ever unknown it halts', async () => {
    const young = await setup((_, turn) => [turn < 3 ? bad(0, 3) : ok(0, 1)])
    expect(await produce(young, [part(T, 0, 'a')])).toMatchObject({ result: 'produced' })
    const gone = await setup(() => [bad(0, 3)])
    expect(await produce(gone, [part(T, 0, 'a')], { unknownUntil: Date.now() + 100 })).toMatchObject({
      result: 'halted',
      code: 3,
    })
  })

  test('ends by its deadline, and no call is given more time than is left', async () => {
    const world = await setup(() => 'lost')
    const deadline = Date.now() + 200
    expect(await produce(world, [part(T, 0, 'a')], { deadline })).toMatchObject({ result: 'unclear' })
    for (const { timeout } of world.connections.named('Produce')) expect(timeout).toBeLessThanOrEqual(200)
    expect(Date.now() - deadline).toBeLessThan(500)
  })

  test('ends by its deadline where nobody tells who leads', async () => {
    const world = await setup(() => 'lost')
    world.connections.script = ({ name }) => {
      if (name === 'Metadata') return new Promise(() => {})
      throw new Error('lost')
    }
    const deadline = Date.now() + 200
    expect(await produce(world, [part(T, 0, 'a')], { deadline })).toMatchObject({ result: 'unclear' })
    expect(Date.now() - deadline).toBeLessThan(500)
    expect(world.connections.named('Produce'), 'nothing is sent after it').toHaveLength(1)
  })

  test('the batches of one partition go in rounds, in order, each once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5)), (partitions) => {
        const parts = partitions.map((partition) => ({
          topic: T,
          partition,
          bytes: new Uint8Array(),
          records: 1,
        }))
        const found = rounds(parts)
        expect(found.flat().sort((a, b) => a - b)).toEqual(parts.map((_, index) => index))
        for (const round of found)
          expect(new Set(round.map((index) => partitions[index])).size).toBe(round.length)
        for (const partition of new Set(partitions)) {
          const order = found.flat().filter((index) => partitions[index] === partition)
          expect(order).toEqual([...order].sort((a, b) => a - b))
        }
      }),
    )
  })
})
