import { isIPv4 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createGenerator, type Generated, type GeneratorOptions } from '../../cli/generator.ts'
import { prepare } from '../../pipelines/api/execute.ts'
import { pipeline } from '../../pipelines/user-login/pipeline.ts'

const NOW = 1_694_479_551_250
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const take = (count: number, options: GeneratorOptions): Generated[] => {
  const generator = createGenerator({ now: () => NOW, ...options })
  return Array.from({ length: count }, () => generator.next())
}
const share = (records: readonly Generated[], kind: Generated['kind']) =>
  records.filter((record) => record.kind === kind).length / records.length

const outcomesOf = async (records: readonly Generated[]) => {
  const prepared = await prepare(pipeline, { token_key: 'a key of sixteen characters' })
  const input = {
    key: null,
    headers: [],
    timestamp: NOW,
    origin: { topic: 'user-login', partition: 0, offset: 0 },
    now: NOW,
    attempt: 1,
    signal: new AbortController().signal,
  }
  return Promise.all(records.map(({ value }) => prepared.run(value, 0, value.length, input)))
}

describe('generator', () => {
  test('the same seed and time give the same records, another seed others', () =>
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom('uniform', 'zipf'), (seed, keys) => {
        const options = { seed, keys, corrupt: 0.2 } as const
        expect(take(20, options)).toEqual(take(20, options))
        expect(take(20, options)).not.toEqual(take(20, { ...options, seed: seed + 1 }))
      }),
      { numRuns: 30 },
    ))

  test('a good record has the fields of the contract', () => {
    for (const { key, value } of take(500, { seed: 1, missing: 0 })) {
      expect(key).toMatch(uuid)
      const login = JSON.parse(value.toString())
      expect(login).toEqual({
        user_id: expect.stringMatching(uuid),
        app_version: '2.3.0',
        device_type: expect.stringMatching(/^(android|iOS)$/),
        ip: expect.any(String),
        locale: expect.stringMatching(/^[A-Z]{2}$/),
        device_id: expect.stringMatching(uuid),
        timestamp: 1_694_479_551,
      })
      expect(isIPv4(login.ip)).toBe(true)
    }
  })

  test('all 50 states and both device types come', () => {
    const logins = take(5000, { seed: 2, missing: 0 }).map(({ value }) => JSON.parse(value.toString()))
    expect(new Set(logins.map(({ locale }) => locale)).size).toBe(50)
    expect(new Set(logins.map(({ device_type }) => device_type)).size).toBe(2)
  })

  test('no two records of the uniform kind share a key', () =>
    expect(new Set(take(20_000, { seed: 3 }).map(({ key }) => key)).size).toBe(20_000))

  test('zipf keys are skewed: the first of 10,000 has about a tenth of all', () => {
    const counts = Map.groupBy(take(20_000, { seed: 4, keys: 'zipf' }), ({ key }) => key)
    const sizes = [...counts.values()].map(({ length }) => length).sort((a, b) => b - a)
    expect((sizes[0] ?? 0) / 20_000).toBeCloseTo(0.102, 1)
    expect(sizes[0] ?? 0).toBeGreaterThan((sizes[9] ?? 0) * 5)
    expect(counts.size).toBeLessThanOrEqual(10_000)
  })

  test('missing and corrupt come in the wished shares', () => {
    const records = take(50_000, { seed: 5, missing: 0.05, corrupt: 0.01 })
    expect(Math.abs(share(records, 'missing') - 0.0495)).toBeLessThan(0.004)
    expect(Math.abs(share(records, 'corrupt') - 0.01)).toBeLessThan(0.002)
    expect(share(take(1000, { seed: 6, missing: 0 }), 'good')).toBe(1)
    expect(share(take(1000, { seed: 6, corrupt: 1 }), 'corrupt')).toBe(1)
  })

  test('only device_type is missing where a record is counted as missing', () => {
    const bare = take(2000, { seed: 7 }).filter(({ kind }) => kind === 'missing')
    for (const { value } of bare)
      expect(Object.keys(JSON.parse(value.toString()))).toEqual([
        'user_id',
        'app_version',
        'ip',
        'locale',
        'device_id',
        'timestamp',
      ])
  })

  test('user-login accepts every good record and buries every corrupt one, for many reasons', async () => {
    const records = take(3000, { seed: 8, corrupt: 0.3 })
    const outcomes = await outcomesOf(records)
    const codes = new Set<string>()
    for (const [index, result] of outcomes.entries()) {
      const corrupt = records[index]?.kind === 'corrupt'
      expect(result.outcome, records[index]?.value.toString()).toBe(corrupt ? 'dead' : 'done')
      if (result.outcome === 'dead') codes.add(result.code)
    }
    expect([...codes].sort()).toEqual([
      'not-an-object',
      'not-json',
      'not-utf8',
      'schema:ip',
      'schema:timestamp',
      'schema:user_id',
    ])
  })
})
