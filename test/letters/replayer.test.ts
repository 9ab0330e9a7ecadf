/** What the replayer makes of answers that no broker gives on demand: the real transport, and an answer of the test's own. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { connectTopology } from '../../cli/host.ts'
import { createInput, ensure } from '../../cluster/kafka/admin.ts'
import { wantedClusterTopic } from '../../cluster/kafka/topics.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import { readMarks } from '../../letters/logs.ts'
import { newAction } from '../../letters/marks.ts'
import { outgoing } from '../../letters/outgoing.ts'
import { Replayer } from '../../letters/replayer.ts'
import { type Sent, Transport } from '../../letters/transport.ts'
import { until } from '../support/cluster.ts'
import { uniqueName, useServices } from '../support/services.ts'
import { letter } from './made.ts'
import { headerOf, recordsOf } from './planted.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

let settings: Settings
let topology: Topology
let lane: Topology
beforeAll(async () => {
  const { kafka } = await useServices()
  settings = readSettings({}, { kafkaBrokers: kafka, partitions: 1 })
  topology = await connectTopology(settings, 'home')
  lane = await connectTopology(settings, 'home')
})
afterAll(() => Promise.all([topology, lane].map((one) => one?.connections.close())))

type Send = Transport['send']

/** @param answer in place of the real send, which it may call */
const world = async (answer: (real: Send, ...args: Parameters<Send>) => Promise<Sent>) => {
  const [inputTopic, marksTopic] = [uniqueName('in'), uniqueName('marks')]
  await withAdmins(settings, async ({ input, home }) => {
    await createInput(input, inputTopic, settings)
    await ensure(home, [wantedClusterTopic(marksTopic, { replication: 1, minInsync: 1 })])
  })
  const transactionalId = uniqueName('replay')
  const limits = { transactionTimeout: 30_000, requestTimeout: 10_000 }
  const transportOf = () => {
    const writer = new TransactionWriter(lane, { transactionalId, ...limits })
    return new Transport({ home: { topology: lane, writer }, inputTopic, marksTopic })
  }
  const transport = transportOf()
  const real = transport.send.bind(transport)
  transport.send = (...args) => answer(real, ...args)
  const counts = { selected: 0, sent: 0, parked: 0, ended: false }
  const action = newAction({ id: uniqueName('a'), deed: 'replay', who: 'w', at: 1, what: '', ...counts })
  const guard = { maxReplays: 3, force: false }
  const names = { pipeline: 'p', inputTopic, marksTopic, topicId: 't' }
  const replayer = new Replayer({
    transport,
    home: topology,
    input: topology,
    ...names,
    action,
    guard,
    now: () => 1,
  })
  await replayer.open()
  /** A commit that is answered shows to readers a moment later. */
  const decided = async () => {
    const [ends, written] = [await topology.ends(inputTopic, [0]), await topology.written(inputTopic, [0])]
    return ends.get(0) === written.get(0)
  }
  const arrived = async () => {
    await until('no transaction is open', 10_000, decided)
    const records = await recordsOf(settings, { topic: inputTopic, which: 'home' })
    return records.map((one) => headerOf(one, HEADER.replayOf))
  }
  const marked = async () => (await readMarks(topology, marksTopic, 't', 'written')).of(letterAt(0).place)
  return { replayer, arrived, marked, overtake: () => transportOf().open('fence') }
}

const letterAt = (offset: number) => letter({ place: { topic: 'dlq', partition: 0, offset } })
const queue = [0, 1, 2].map((offset) => outgoing(letterAt(offset), { partitions: 1, now: 1 }))
const places = ['dlq/0/0', 'dlq/0/1', 'dlq/0/2']
const unclear: Sent = { result: 'unclear', reason: 'no answer' }

test('an unclear answer after the commit: the marks say that it was sent', async () => {
  const { replayer, arrived } = await world(async (real, ...args) => {
    await real(...args)
    return unclear
  })
  expect(await replayer.sendSome(queue)).toEqual({ taken: 3, held: [] })
  expect(replayer.action.sent).toBe(3)
  expect(replayer.held(letterAt(1))).toBe('settled')
  expect(await arrived()).toEqual(places)
})

test('an unclear answer before the commit: it is sent anew', async () => {
  let asked = 0
  const { replayer, arrived } = await world((real, ...args) =>
    asked++ === 0 ? Promise.resolve(unclear) : real(...args),
  )
  expect(await replayer.sendSome(queue)).toEqual({ taken: 0, held: [] })
  expect(await arrived()).toEqual([])
  expect(await replayer.sendSome(queue)).toEqual({ taken: 3, held: [] })
  expect(await arrived()).toEqual(places)
})

test('nothing but unclear answers: it gives up in one line', async () => {
  const { replayer } = await world(() => Promise.resolve(unclear))
  const sending = async () => {
    for (;;) await replayer.sendSome(queue)
  }
  await expect(sending()).rejects.toMatchObject({
    code: 'kafka-unreachable',
    message: 'nothing can be sent: no answer',
  })
})

test('a record that Kafka never takes is found, its neighbours are sent', async () => {
  const refused: Sent = { result: 'refused', part: 0, code: 10, detail: '', recordIndexes: [] }
  const { replayer, arrived } = await world((real, chunk, entriesOf) =>
    chunk.some((one) => one.letter.place.offset === 1) ? Promise.resolve(refused) : real(chunk, entriesOf),
  )
  const held: string[] = []
  for (let done = 0; done < queue.length; ) {
    const some = await replayer.sendSome(queue.slice(done))
    held.push(...some.held)
    done += some.taken
  }
  expect(held).toEqual(['refused'])
  expect(await arrived()).toEqual(['dlq/0/0', 'dlq/0/2'])
  expect(replayer.held(letterAt(1)), 'it is still open').toBeUndefined()
})

test('a sender that was overtaken sends, marks and parks nothing any more', async () => {
  const { replayer, arrived, marked, overtake } = await world((real, ...args) => real(...args))
  await overtake()
  await expect(replayer.park([letterAt(0)])).rejects.toMatchObject({ code: 'fenced' })
  await expect(replayer.sendSome(queue)).rejects.toThrow()
  expect(await arrived()).toEqual([])
  expect(await marked()).toBeUndefined()
})

test('parked letters are settled, in as many transactions as it takes', async () => {
  const { replayer, marked } = await world((real, ...args) => real(...args))
  await replayer.park(Array.from({ length: 1201 }, (_, offset) => letterAt(offset)))
  await replayer.end(1300)
  expect(replayer.action).toMatchObject({ parked: 1201, selected: 1300, ended: true })
  expect(replayer.held(letterAt(1200))).toBe('settled')
  expect(await marked()).toMatchObject({ deed: 'park', state: 'done' })
})
