import { describe, expect, test } from 'vitest'
import { stamp } from '../../../cluster/kafka/codec/stamp.ts'
import { CODE } from '../../../cluster/kafka/codes.ts'
import { type ScanOptions, type ScanRange, scan } from '../../../cluster/kafka/scan.ts'
import { FakeLog } from '../../ports/fake/log.ts'
import { part } from '../../ports/records.ts'
import { fetchReply, type ReplyPartition } from './replies.ts'
import { scripted, topicIdOf } from './scripted.ts'

const T = 't'
const ID = topicIdOf(1)

/** Batches of three records, every second transaction aborted. */
const log = new FakeLog()
const committed: number[] = []
for (let turn = 0; turn < 6; turn++) {
  const { bytes } = part(T, 0, 'a', 'b', 'c')
  stamp(bytes, turn, 0, 0)
  const { base } = log.append(bytes)
  if (turn % 2 === 0) committed.push(base, base + 1, base + 2)
  log.mark({ producerId: turn, epoch: 0 }, turn % 2 === 0 ? 'commit' : 'abort', 0)
}

type Serve = (offset: number, turn: number) => Partial<ReplyPartition> | 'lost'
const setup = async (serve: Serve, leaders: readonly number[] = [1]) => {
  let turn = 0
  return scripted({ topic: T, topicId: ID, leaders }, ({ body }) => {
    const PARTITION_AT = 1 + 4 + 4 + 4 + 4 + 1 + 4 + 4 + 1 + 16 + 1
    const answer = serve(Number(body.readBigInt64BE(PARTITION_AT + 4 + 4)), turn++)
    if (answer === 'lost') throw new Error('lost')
    return fetchReply([{ topicId: ID, partition: 0, ...answer }])
  })
}
type World = Awaited<ReturnType<typeof setup>>
const served: Serve = (offset) => ({ stable: log.stable, ...log.read(offset, 1) })

const scanned = async ({ topology }: World, range: Partial<ScanRange> = {}, options: ScanOptions = {}) => {
  const offsets: number[] = []
  const end = await scan(
    topology,
    { topic: T, partition: 0, from: 0, to: log.end, ...range },
    (cursor) => offsets.push(cursor.offset),
    options,
  )
  return { offsets, end }
}

describe('a scan', () => {
  test('visits every committed record of the range once, in order, whatever its borders', async () => {
    const world = await setup(served)
    for (let from = 0; from < log.end; from++)
      for (const to of [from, from + 1, Math.min(from + 4, log.end), log.end])
        expect((await scanned(world, { from, to })).offsets).toEqual(
          committed.filter((offset) => offset >= from && offset < to),
        )
  })

  test('a lost fetch or a leader that moves is asked again', async () => {
    const trouble: (Partial<ReplyPartition> | 'lost')[] = [
      'lost',
      { code: CODE.notLeader },
      { code: CODE.unknownTopicId },
    ]
    const world = await setup((offset, turn) => trouble[turn] ?? served(offset, turn))
    expect(await scanned(world)).toEqual({ offsets: committed, end: log.end })
    expect(world.connections.named('Metadata').length).toBeGreaterThanOrEqual(3)
  })

  test('below the log start it is a named gap', async () => {
    const world = await setup(() => ({ code: CODE.offsetOutOfRange, start: 7 }))
    await expect(scanned(world)).rejects.toMatchObject({
      code: 'position-gap',
      message: expect.stringContaining('7'),
    })
  })

  test('of a topic that is gone, or made again, it is named', async () => {
    for (const topics of [[], [{ topic: T, topicId: topicIdOf(2), leaders: [1] }]]) {
      const world = await setup(() => ({ code: CODE.unknownTopicId }))
      const running = scanned(world)
      world.state.topics = topics
      await expect(running).rejects.toMatchObject({ code: 'topic-missing' })
    }
  })

  test('what may not be read is named; what Kafka cannot read itself is not called a matter of rights', async () => {
    await expect(scanned(await setup(() => ({ code: CODE.topicAuthorization })))).rejects.toMatchObject({
      code: 'kafka-auth',
    })
    const CORRUPT = 2
    await expect(
      scanned(await setup(() => ({ code: CORRUPT })), {}, { deadline: 150 }),
    ).rejects.toMatchObject({
      code: 'timeout',
    })
  })

  test('gives up by its deadline where nobody answers', async () => {
    for (const world of [await setup(() => 'lost'), await setup(served, [-1])])
      await expect(scanned(world, {}, { deadline: 150 })).rejects.toMatchObject({ code: 'timeout' })
  })

  test('without an end it follows until it is told to stop, and says when it has reached the end', async () => {
    const world = await setup(served)
    const stop = new AbortController()
    const { topology } = world
    const offsets: number[] = []
    const end = await scan(
      topology,
      { topic: T, partition: 0, from: 0 },
      (cursor) => offsets.push(cursor.offset),
      {
        signal: stop.signal,
        atEnd: () => stop.abort(),
      },
    )
    expect(offsets).toEqual(committed)
    expect(end).toBe(log.end)
  })
})
