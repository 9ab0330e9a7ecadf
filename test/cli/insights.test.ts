import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { viewPublisher } from '../../cluster/redis/views.ts'
import { readSettings } from '../../cluster/settings.ts'
import { encode, sizeOf } from '../../pipelines/api/aggregates.ts'
import { Folder } from '../../pipelines/api/folder.ts'
import { pipeline } from '../../pipelines/user-login/pipeline.ts'
import { uniqueName, useServices } from '../support/services.ts'
import { type Env, millrace, start } from './millrace.ts'

const EIGHT = Date.parse('2026-03-01T08:00:00Z')
const NINE = Date.parse('2026-03-01T09:00:00Z')
const aggregates = pipeline.aggregates ?? {}

let redis: Redis
let address: string
let env: Env

beforeAll(async () => {
  address = (await useServices()).redis
  redis = await connectRedis(readSettings({}, { redisUrl: address }))
})
afterAll(() => redis && closeRedis(redis))
beforeEach(() => {
  env = { MILLRACE_REDIS_URL: address, MILLRACE_CLUSTER_ID: uniqueName('insights') }
})

interface Login {
  readonly time: number
  readonly device_type: string
  readonly user_id: string
}

/** As a shard does after its commit. */
const publish = async (slot: number, logins: readonly Login[]): Promise<void> => {
  const folder = new Folder(aggregates, { watermark: 0, now: NINE })
  for (const login of logins)
    folder.add({ ...login, locale: 'TX', app_version: '2.3.0', region: 'south' }, login.time)
  const windows = folder.take().windows.flatMap(({ aggregate: name, start: begin, value }) => {
    const aggregate = aggregates[name]
    if (aggregate === undefined) return []
    return [
      {
        aggregate: name,
        size: sizeOf(aggregate),
        start: begin,
        offset: 1,
        value: encode(aggregate, value),
        lifeMs: 0,
      },
    ]
  })
  const source = { pipeline: pipeline.name, slot, stateTopicId: 'state', epoch: 1 }
  const views = viewPublisher(redis, keysOf(env.MILLRACE_CLUSTER_ID ?? ''), source)
  await views.publish({ windows, watermark: NINE, floors: {}, full: true })
}

const login = (time: number, device_type: string, user_id: string): Login => ({ time, device_type, user_id })
const publishTwoSlots = async () => {
  await publish(0, [login(EIGHT, 'iOS', 'a'), login(EIGHT + 1, 'android', 'b'), login(NINE, 'iOS', 'a')])
  await publish(1, [login(EIGHT + 2, 'iOS', 'a'), login(EIGHT + 3, 'unknown', 'c'), login(NINE, 'iOS', 'd')])
}
const insights = (...args: string[]) => millrace(['insights', ...args], { env })
const json = async (...args: string[]) => JSON.parse((await insights(...args, '-o', 'json')).stdout)

describe('millrace insights', () => {
  test('combines the parts of all slots, window by window', async () => {
    await publishTwoSlots()
    const all = await json('--window', 'all')
    expect(all).toHaveLength(2)
    expect(all[0]).toMatchObject({
      from: '2026-03-01T08:00:00.000Z',
      to: '2026-03-01T09:00:00.000Z',
      aggregates: {
        logins: 4,
        logins_by_device_type: { iOS: 2, android: 1, unknown: 1 },
        logins_by_locale: { TX: 4 },
        distinct_users: 3,
      },
    })
    expect(all[1]).toMatchObject({ aggregates: { logins: 2, distinct_users: 2 } })
  })

  test('shows the latest window unless told otherwise, or the one a time lies in', async () => {
    await publishTwoSlots()
    const hours = async (...args: string[]) =>
      (await json(...args)).map(({ from }: { from: string }) => from.slice(11, 16))
    expect(await hours()).toEqual(['09:00'])
    expect(await hours('--window', '2026-03-01T08:59:59Z')).toEqual(['08:00'])
    expect(await hours('--window', '2026-03-01T10:00Z')).toEqual([])
  })

  test('as text it has bars, the most frequent label first, and says what is an estimate', async () => {
    await publishTwoSlots()
    const { stdout } = await insights('user-login', '--window', 'all', '--top', '1')
    const [title, ...lines] = stdout.split('\n')
    expect(title).toBe('2026-03-01T08:00Z to 2026-03-01T09:00Z')
    expect(lines).toContain('  logins: 4')
    expect(lines).toContain(`    iOS  2   50.0%  ${'#'.repeat(30)}`)
    expect(lines).toContain('    and 2 more')
    expect(lines).toContain('  distinct_users: 3 (an estimate, standard error 1.6 %)')
  })

  test('without any it says so', async () => {
    expect(await insights()).toMatchObject({ code: 0, stdout: 'nothing is counted yet\n' })
    expect(await json()).toEqual([])
  })

  test('--watch shows what changes, until the signal', async () => {
    await publish(0, [login(EIGHT, 'iOS', 'a')])
    const child = start(['insights', '--watch', '-o', 'json'], env)
    let shown = ''
    child.stdout.on('data', (text: Buffer) => {
      shown += text
    })
    await expect.poll(() => shown, { timeout: 20_000 }).toContain('"logins":1')
    await publish(1, [login(EIGHT, 'iOS', 'b')])
    await expect.poll(() => shown, { timeout: 20_000 }).toContain('"logins":2')
    child.kill('SIGTERM')
    expect((await child.run).code).toBe(0)
  })
})
