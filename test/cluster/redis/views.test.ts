import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeRedis, connectRedis } from '../../../cluster/redis/client.ts'
import { keysOf } from '../../../cluster/redis/keys.ts'
import { type Publication, type ViewWindow, viewPublisher } from '../../../cluster/redis/views.ts'
import { combineWindow, type ViewReader, viewReader } from '../../../cluster/redis/views-read.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { type OwnRedis, startRedis } from '../../support/redis.ts'

const HOUR = 3_600_000
const keys = keysOf('views')
let server: OwnRedis
let redis: Redis
let reader: ViewReader
beforeAll(async () => {
  server = await startRedis()
  redis = await connectRedis(readSettings({}, { redisUrl: server.url }))
  reader = viewReader(redis, keys)
})
afterAll(async () => {
  closeRedis(redis)
  await server.stop()
})
beforeEach(async () => void (await redis.flushall()))

const publisher = (slot = 0, epoch = 1, stateTopicId = 'topic-a') =>
  viewPublisher(redis, keys, { pipeline: 'p', slot, epoch, stateTopicId })

const windowOf = (over: Partial<ViewWindow> = {}): ViewWindow => ({
  aggregate: 'devices',
  size: String(HOUR),
  start: 10 * HOUR,
  offset: 1,
  value: { android: 1 },
  lifeMs: 0,
  ...over,
})

const publication = (windows: readonly ViewWindow[], over: Partial<Publication> = {}): Publication => ({
  windows,
  watermark: 0,
  floors: {},
  full: false,
  ...over,
})
const full = (...windows: readonly ViewWindow[]) => publication(windows, { full: true })
const more = (...windows: readonly ViewWindow[]) => publication(windows)

const values = async () =>
  (await reader.parts('p')).flatMap((window) =>
    window.parts.map((part) => [window.start / HOUR, part.slot, part.aggregate, part.offset, part.value]),
  )

describe('publishing views', () => {
  test('a part is what was last published, per slot, window and aggregate', async () => {
    await publisher(0).publish(full(windowOf(), windowOf({ aggregate: 'total', value: 7 })))
    await publisher(1).publish(full(windowOf({ start: 11 * HOUR, value: { iOS: 2 } })))
    expect(await values()).toEqual([
      [10, 0, 'devices', 1, { android: 1 }],
      [10, 0, 'total', 1, 7],
      [11, 1, 'devices', 1, { iOS: 2 }],
    ])
  })

  test('an older sequence is refused, a repeated one changes nothing: any order ends in the newest values', async () => {
    const published = fc.record({
      slot: fc.nat(1),
      aggregate: fc.constantFrom('a', 'b'),
      hour: fc.nat(2),
      offset: fc.nat(20),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(published, { minLength: 1, maxLength: 30 }), async (all) => {
        await redis.flushall()
        const publishers = [publisher(0), publisher(1)]
        for (const slot of publishers) await slot.publish(full())
        const newest = new Map<string, number>()
        for (const one of all) {
          const value = `${one.aggregate} at ${one.offset}`
          const window = windowOf({ ...one, start: one.hour * HOUR, value })
          expect(await publishers[one.slot]?.publish(more(window))).toMatchObject({ result: 'published' })
          const key = `${one.hour} ${one.slot} ${one.aggregate}`
          newest.set(key, Math.max(newest.get(key) ?? -1, one.offset))
        }
        const found = (await values()).map(([hour, slot, aggregate, offset, value]) => {
          expect(value).toBe(`${aggregate} at ${offset}`)
          return [`${hour} ${slot} ${aggregate}`, offset]
        })
        expect(new Map(found as [string, number][])).toEqual(newest)
      }),
      { numRuns: 40 },
    )
  })

  test('a late publisher of the same state topic cannot set a part back', async () => {
    const zombie = publisher(0, 1)
    await zombie.publish(full(windowOf({ offset: 5, value: 'old' })))
    await publisher(0, 2).publish(full(windowOf({ offset: 9, value: 'new' })))
    expect(await zombie.publish(full(windowOf({ offset: 6, value: 'old' })))).toEqual({
      result: 'published',
      accepted: 0,
      refused: 1,
    })
    expect(await values()).toEqual([[10, 0, 'devices', 9, 'new']])
  })

  test('parts of another state topic are replaced only under a newer claim, and its former publisher is told', async () => {
    const former = publisher(0, 3, 'topic-a')
    await former.publish(full(windowOf({ offset: 500 }), windowOf({ start: 9 * HOUR, offset: 400 })))
    expect(await publisher(0, 3, 'topic-b').publish(full(windowOf()))).toEqual({ result: 'older' })
    expect(await publisher(0, 4, 'topic-b').publish(full(windowOf({ offset: 2, value: 'b' })))).toMatchObject(
      {
        result: 'published',
        accepted: 1,
      },
    )
    expect(await values()).toEqual([[10, 0, 'devices', 2, 'b']])
    expect(await former.publish(full(windowOf({ offset: 501 })))).toEqual({ result: 'older' })
    expect(await reader.heads('p')).toMatchObject([{ slot: 0, stateTopicId: 'topic-b', epoch: 4 }])
  })

  test('after a flush every publisher is told once, and a full repeat brings the same numbers back', async () => {
    const one = publisher(0)
    const two = publisher(1)
    const first = full(windowOf({ offset: 3 }), windowOf({ start: 11 * HOUR, offset: 4 }))
    await one.publish(first)
    await two.publish(full(windowOf({ offset: 8 })))
    const before = await values()
    await redis.flushall()
    expect(await one.publish(more(windowOf({ offset: 5 })))).toEqual({ result: 'wiped' })
    expect(await one.publish(more()), 'only a full repeat mends it').toEqual({ result: 'wiped' })
    await one.publish(first)
    expect(await one.publish(more())).toMatchObject({ result: 'published' })
    expect(await two.publish(more())).toEqual({ result: 'wiped' })
    await two.publish(full(windowOf({ offset: 8 })))
    expect(await values()).toEqual(before)
  })

  test('a Redis that was set back to an earlier state is noticed as well', async () => {
    const one = publisher()
    await one.publish(full(windowOf({ offset: 3, value: 'early' })))
    const backup = await redis.dumpBuffer(keys.head('p', 0))
    await one.publish(more(windowOf({ offset: 7, value: 'late' })))
    await redis.restore(keys.head('p', 0), 0, backup, 'REPLACE')
    expect(await one.publish(more(windowOf({ start: 12 * HOUR, offset: 8 })))).toEqual({ result: 'wiped' })
  })

  test('windows below the floor are deleted and refused, of that size only, and the floor never falls', async () => {
    const one = publisher()
    const day = windowOf({ size: String(24 * HOUR), start: 0 })
    const total = windowOf({ size: 'total', start: 0 })
    await one.publish(full(day, total, ...[9, 10, 11].map((hour) => windowOf({ start: hour * HOUR }))))
    await one.publish(publication([], { floors: { [HOUR]: 11 * HOUR } }))
    expect((await reader.windows('p')).map((window) => [window.size, window.start])).toEqual([
      [String(HOUR), 11 * HOUR],
      [String(24 * HOUR), 0],
      ['total', 0],
    ])
    expect(await one.publish(more(windowOf({ start: 10 * HOUR, offset: 99 })))).toMatchObject({ refused: 1 })
    expect(
      await one.publish(publication([windowOf({ start: 10 * HOUR, offset: 99 })], { floors: { [HOUR]: 0 } })),
    ).toMatchObject({ refused: 1 })
    expect(await redis.keys('*part:3600000/36000000')).toEqual([])
  })

  test('a part whose time to live has passed is simply gone', async () => {
    await publisher().publish(full(windowOf({ lifeMs: 30 }), windowOf({ start: 11 * HOUR })))
    while ((await redis.exists(`${keys.partPrefix('p', 0)}${HOUR}/${10 * HOUR}`)) === 1);
    expect((await values()).map(([hour]) => hour)).toEqual([11])
  })

  test('the watermark becomes visible with the last of many windows, and never falls', async () => {
    const many = Array.from({ length: 450 }, (_, index) => windowOf({ start: index * HOUR }))
    const one = publisher()
    expect(await one.publish({ ...full(...many), watermark: 5000 })).toEqual({
      result: 'published',
      accepted: 450,
      refused: 0,
    })
    await one.publish({ ...more(), watermark: 4000 })
    expect(await reader.heads('p')).toEqual([{ slot: 0, stateTopicId: 'topic-a', epoch: 1, watermark: 5000 }])
    expect(await reader.windows('p')).toHaveLength(450)
  })

  test('while Redis is away publishing says so and does not throw', async () => {
    const lost = await connectRedis(readSettings({}, { redisUrl: server.url }))
    const one = viewPublisher(lost, keys, { pipeline: 'p', slot: 0, epoch: 1, stateTopicId: 'topic-a' })
    closeRedis(lost)
    expect(await one.publish(full(windowOf()))).toMatchObject({ result: 'away' })
  })
})

describe('reading views', () => {
  test('a range takes whole windows of one size; latest takes the newest of each', async () => {
    await publisher(0).publish(full(...[8, 9, 10].map((hour) => windowOf({ start: hour * HOUR }))))
    await publisher(1).publish(full(windowOf({ start: 9 * HOUR }), windowOf({ size: 'total', start: 0 })))
    const some = await reader.windows('p', { size: String(HOUR), from: 9 * HOUR, to: 10 * HOUR })
    expect(some).toEqual([{ size: String(HOUR), start: 9 * HOUR, slots: [0, 1] }])
    const latest = await reader.latest('p')
    expect(latest.map((window) => [window.size, window.start])).toEqual([
      [String(HOUR), 10 * HOUR],
      ['total', 0],
    ])
    expect(await reader.parts('unknown')).toEqual([])
  })

  test('combining is the algebra of the caller, over all slots in their order', async () => {
    for (const slot of [10, 2, 1]) await publisher(slot).publish(full(windowOf({ value: [slot] })))
    const [window] = await reader.parts('p')
    if (window === undefined) throw new Error('no window')
    const merge = (aggregate: string, all: readonly unknown[]) => [aggregate, ...all.flat()]
    expect(combineWindow(window, merge).aggregates).toEqual({ devices: ['devices', 1, 2, 10] })
    expect(combineWindow(window, () => undefined).aggregates).toEqual({})
  })
})
