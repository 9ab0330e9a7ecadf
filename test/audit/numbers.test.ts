/** Aggregates in the state and in Redis against the recount. */
import { beforeAll, describe, expect, test } from 'vitest'
import { keysOf } from '../../cluster/redis/keys.ts'
import { type SharedServices, useServices } from '../support/services.ts'
import { Made } from './made.ts'
import { pipeline } from './pipeline.ts'
import { HOUR, honest } from './story.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

describe('numbers that differ', () => {
  const partOf = (made: Made, member: string) =>
    `${keysOf(made.settings.clusterId).partPrefix('audited', 0)}${member}`

  test('in Redis only: changed, missing, surplus, unreadable', async () => {
    await using made = await honest(services)
    const minute = partOf(made, `60000/${HOUR}`)
    const kinds = await made.redis.hget(minute, 'kinds')
    await made.redis.hset(minute, 'kinds', (kinds ?? '').replace('"counts":[1,1]', '"counts":[1,2]'))
    await made.redis.hdel(minute, 'answers_a_minute')
    await made.redis.hset(minute, 'kinds_seen', '1 "nonsense"')
    await made.redis.hset(partOf(made, `60000/${2 * HOUR}`), 'answers_a_minute', '1 3')
    await made.redis.zadd(
      keysOf(made.settings.clusterId).windows('audited', 0),
      2 * HOUR,
      `60000/${2 * HOUR}`,
    )
    const report = await made.audit()
    expect(report).toMatchObject({ ok: false, lost: 0, mismatch: 4 })
    const at = { where: 'redis', slot: 0, window: '1970-01-01T01:00:00.000Z' }
    expect(report.offending.mismatch).toEqual(
      expect.arrayContaining([
        { ...at, aggregate: 'kinds', expected: { b: 1 }, found: { b: 2 } },
        { ...at, aggregate: 'answers_a_minute', expected: 2, found: null },
        { ...at, aggregate: 'kinds_seen', expected: 2, found: 'unreadable' },
        {
          ...at,
          aggregate: 'answers_a_minute',
          window: '1970-01-01T02:00:00.000Z',
          expected: null,
          found: 3,
        },
      ]),
    )
  })

  test('in the state only', async () => {
    await using made = await honest(services)
    await made.windows(0, [{ aggregate: 'answers', start: 0, value: 40 }])
    const report = await made.audit()
    expect(report.offending.mismatch).toEqual([
      { where: 'state', aggregate: 'answers', slot: 0, window: 'total', expected: 4, found: 40 },
    ])
  })

  test('because Redis shows another state topic', async () => {
    await using made = await honest(services)
    await made.redis.hset(keysOf(made.settings.clusterId).head('audited', 0), 'topic', 'another')
    expect((await made.audit()).offending.mismatch).toMatchObject([
      { where: 'redis', slot: 0, found: 'another' },
    ])
  })

  test('because parts have lived their time cannot be told from parts that were lost', async () => {
    await using made = await Made.open(services, pipeline)
    const at = HOUR + 500
    await made.work(0, await made.ask(0, 1), [{ value: { at, kind: 'a' } }])
    await made.redis.del(partOf(made, `1000/${HOUR}`))
    expect(await made.audit()).toMatchObject({ ok: false, mismatch: 1 })
    await made.windows(0, [{ aggregate: 'latest', start: HOUR, value: at }], Date.now() - 3000)
    expect(await made.audit()).toMatchObject({ ok: false, mismatch: 1 })
    await made.windows(0, [{ aggregate: 'latest', start: HOUR, value: at }], Date.now() - 5000)
    const told = expect.stringContaining(
      `1 parts may have ended with their time to live, such as 0/latest/${HOUR}`,
    )
    expect(await made.audit()).toMatchObject({ ok: true, notProvable: [told] })
  })

  test('of windows that are closed are nobody’s concern', async () => {
    await using made = await honest(services)
    const counters = { done: 4, dead: 1, dropped: 1, late: 1, parked: 0 }
    await made.position(0, { next: 6, counters, watermark: 2 * HOUR })
    const total = await made.redis.hget(partOf(made, 'total/0'), 'answers')
    await made.redis.del(keysOf(made.settings.clusterId).windows('audited', 0))
    await made.redis.zadd(keysOf(made.settings.clusterId).windows('audited', 0), 0, 'total/0')
    expect(total).toContain('4')
    expect(await made.audit()).toMatchObject({ ok: true, mismatch: 0 })
  })

  test('because the definition changed cannot be compared', async () => {
    await using made = await honest(services)
    const { aggregates = {} } = pipeline
    const changed = {
      ...aggregates,
      answers: { ...aggregates.answers, fold: 'countBy', field: 'kind', cap: 5 },
    }
    const report = await made.audit({ pipeline: { ...pipeline, aggregates: changed as typeof aggregates } })
    expect(report.ok).toBe(true)
    expect(report.notProvable).toEqual(['aggregate answers: it was counted under another definition'])
  })
})
