import { afterEach, describe, expect, test } from 'vitest'
import { EventBus } from '../../cluster/events.ts'
import type { Publication, Published } from '../../cluster/redis/views.ts'
import { total, tumbling } from '../../pipelines/api/aggregates.ts'
import { EMPTY, type LedgerState } from '../../workers/ledger.ts'
import { Publisher } from '../../workers/publisher.ts'

const aggregates = { all: total.count(), short: tumbling(10, 20).count(), long: tumbling(10, 95).count() }
const published: Published = { result: 'published', accepted: 1, refused: 0 }
const stateOf = (values: Readonly<Record<string, number>>, watermark = 0): LedgerState => ({
  ...EMPTY,
  watermark,
  windows: new Map(
    Object.entries(values).map(([key, value]) => {
      const [, aggregate = '', size = '', start = ''] = key.split('/')
      return [key, { aggregate, size, start: Number(start), value }]
    }),
  ),
})
const ALL = 'window/all/total/0'
const SHORT = 'window/short/10/40'

const committed = (state: LedgerState, offsets: ReadonlyMap<string, number>) => ({
  state,
  offsets,
  watermark: () => state.watermark,
})

/** Redis by hand: each call waits for its reply. */
class Views {
  readonly calls: { readonly publication: Publication; readonly reply: (reply: Published) => void }[] = []
  #called = Promise.withResolvers<void>()
  publish(publication: Publication): Promise<Published> {
    return new Promise((reply) => {
      this.calls.push({ publication, reply })
      this.#called.resolve()
      this.#called = Promise.withResolvers()
    })
  }
  async call(n: number) {
    while (this.calls.length <= n) await this.#called.promise
    const call = this.calls[n]
    if (call === undefined) throw new Error('no call')
    return call
  }
  keys = ({ publication }: { publication: Publication }) =>
    publication.windows.map(
      ({ aggregate, start, value, offset }) => `${aggregate}/${start}=${value}@${offset}`,
    )
}

const open: { publisher: Publisher; views: Views }[] = []
const start = () => {
  const views = new Views()
  const events = new EventBus()
  const publisher = new Publisher(views, aggregates, 0, events)
  open.push({ publisher, views })
  return { views, publisher, events }
}
afterEach(async () => {
  for (const { publisher, views } of open.splice(0)) {
    views.publish = async () => published
    for (const { reply } of views.calls) reply(published)
    await publisher.stop()
  }
})

describe('the publisher', () => {
  test('a takeover publishes everything, later commits what they changed, one call at a time', async () => {
    const { views, publisher } = start()
    const offsets = new Map([
      [ALL, 5],
      [SHORT, 6],
    ])
    publisher.begin(committed(stateOf({ [ALL]: 1, [SHORT]: 1 }), offsets))
    const first = await views.call(0)
    expect(first.publication.full).toBe(true)
    expect(views.keys(first)).toEqual(['all/0=1@5', 'short/40=1@6'])
    // Two commits while the call is under way come to one publication of the newest values.
    publisher.changed(committed(stateOf({ [ALL]: 2, [SHORT]: 1 }), new Map([[ALL, 9]])), [ALL])
    publisher.changed(committed(stateOf({ [ALL]: 3, [SHORT]: 1 }), new Map([[ALL, 12]])), [ALL])
    expect(views.calls).toHaveLength(1)
    first.reply(published)
    const second = await views.call(1)
    expect([second.publication.full, views.keys(second)]).toEqual([false, ['all/0=3@12']])
  })

  test('Redis away: nothing is forgotten, and the loop goes on', async () => {
    const { views, publisher, events } = start()
    publisher.begin(committed(stateOf({ [ALL]: 1 }), new Map([[ALL, 1]])))
    const failed = events.next('viewsFailed')
    ;(await views.call(0)).reply({ result: 'away', reason: 'ECONNREFUSED' })
    expect(await failed).toEqual({ slot: 0, reason: 'ECONNREFUSED' })
    const again = await views.call(1)
    expect([again.publication.full, views.keys(again)]).toEqual([true, ['all/0=1@1']])
  })

  test('a wiped Redis gets everything anew', async () => {
    const { views, publisher } = start()
    const offsets = new Map([
      [ALL, 1],
      [SHORT, 2],
    ])
    publisher.begin(committed(stateOf({ [ALL]: 1, [SHORT]: 1 }), offsets))
    ;(await views.call(0)).reply(published)
    publisher.changed(committed(stateOf({ [ALL]: 2, [SHORT]: 1 }), offsets), [ALL])
    ;(await views.call(1)).reply({ result: 'wiped' })
    const full = await views.call(2)
    expect([full.publication.full, views.keys(full)]).toEqual([true, ['all/0=2@1', 'short/40=1@2']])
  })

  test('an idle shard asks again whether Redis still holds its parts', async () => {
    const { views, publisher } = start()
    publisher.begin(committed(EMPTY, new Map()))
    ;(await views.call(0)).reply(published)
    const heartbeat = await views.call(1)
    expect(heartbeat.publication).toMatchObject({ windows: [], full: false })
  })

  test('a stop publishes what is left, once, and ends the loop', async () => {
    const { views, publisher } = start()
    publisher.begin(committed(stateOf({ [ALL]: 1 }), new Map([[ALL, 1]])))
    publisher.changed(committed(stateOf({ [ALL]: 2 }), new Map([[ALL, 2]])), [ALL])
    const stopped = publisher.stop()
    ;(await views.call(0)).reply(published)
    ;(await views.call(1)).reply(published)
    await stopped
    const last = views.calls.at(-1)
    expect(last && views.keys(last)).toEqual(['all/0=2@2'])
    expect(views.calls).toHaveLength(2)
  })

  test('a fault of ours is told, never an unhandled rejection, and the loop goes on', async () => {
    const { views, publisher, events } = start()
    const broken = () => {
      throw new TypeError('a fault')
    }
    const failed = events.next('viewsFailed')
    publisher.begin({ state: stateOf({ [ALL]: 1 }), offsets: new Map(), watermark: broken })
    expect(await failed).toEqual({ slot: 0, reason: 'TypeError: a fault' })
    publisher.changed(committed(stateOf({ [ALL]: 1 }), new Map()), [ALL])
    expect((await views.call(0)).publication.full).toBe(true)
  })

  test('a stop before any takeover publishes nothing', async () => {
    const { views, publisher } = start()
    await publisher.stop()
    expect(views.calls).toEqual([])
  })

  test('floors are those of the longest retention of a size; a closed window is left out', async () => {
    const { views, publisher } = start()
    publisher.begin(committed(stateOf({ [ALL]: 1 }, 200), new Map([[ALL, 1]])))
    const { publication, reply } = await views.call(0)
    expect(publication.floors).toEqual({ 10: 100 })
    expect(publication.windows).toMatchObject([{ aggregate: 'all', lifeMs: 0 }])
    publisher.changed(committed(stateOf({ [ALL]: 1 }, 200), new Map([[ALL, 1]])), [SHORT])
    reply(published)
    expect((await views.call(1)).publication.windows).toEqual([])
  })
})
