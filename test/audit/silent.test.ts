/** A pipeline without outputs: the drops topic tells what was done, and what was counted is counted again from the input. */
import { beforeAll, describe, expect, test } from 'vitest'
import { resolveOptions } from '../../pipelines/api/options.ts'
import { retry } from '../../pipelines/api/outcome.ts'
import { type SharedServices, useServices } from '../support/services.ts'
import { COUNTERS, honest } from './silent.ts'
import { options, pipeline } from './silent-pipeline.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

describe('on which everything went right', () => {
  test('is ok: done records are counted as its outputs would be', async () => {
    await using made = await honest(services)
    const report = await made.audit({ options })
    expect(report.notProvable).toEqual([])
    expect(report).toMatchObject({
      ...{ ok: true, output: null, produced: 8, outputs: 6, dead: 1, dropped: 1, late: 1 },
      ...{ lost: 0, double: 0, foreign: 0, mismatch: 0, order: 0 },
    })
  })

  test('is ok where its step is asynchronous', async () => {
    const { process } = pipeline
    const slow = {
      ...pipeline,
      process: async (...step: Parameters<NonNullable<typeof process>>) => {
        await Promise.resolve()
        return process?.(...step) ?? retry('no-step')
      },
    }
    await using made = await honest(services, slow)
    expect(await made.audit({ options })).toMatchObject({ ok: true, outputs: 6, notProvable: [] })
  })

  test('is not recounted without its options, and says which one to set', async () => {
    await using made = await honest(services)
    const report = await made.audit({ options: () => resolveOptions(pipeline, {}) })
    expect(report).toMatchObject({ ok: true, lost: 0, outputs: 6 })
    expect(report.notProvable).toEqual([
      expect.stringMatching(
        /^the recount: .*MILLRACE_OPTION_SUFFIX is not set.*; set MILLRACE_OPTION_SUFFIX$/,
      ),
    ])
  })
})

describe('what is planted is named', () => {
  test('a done record that nothing tells of', async () => {
    await using made = await honest(services)
    await made.askFor(0, [{ kind: 'a', at: 0 }])
    await made.position(0, { next: 9, counters: { ...COUNTERS, done: 7 } })
    const report = await made.audit({ options })
    expect(report).toMatchObject({ ok: false, lost: 1, double: 0 })
    expect(report.offending.lost).toEqual([{ partition: 0, offsets: [8] }])
  })

  test('a record that was done twice, and one that was dropped as well', async () => {
    await using made = await honest(services)
    await made.drop({ partition: 0, from: 0, to: 0, fate: 'done' })
    await made.drop({ partition: 0, from: 2, to: 2 })
    expect((await made.audit({ options })).offending.double).toEqual([
      {
        partition: 0,
        offsets: [
          { offset: 0, fates: ['output'] },
          { offset: 2, fates: ['output', 'drop'] },
        ],
      },
    ])
  })

  test('a done record beyond the position', async () => {
    await using made = await honest(services)
    await made.drop({ partition: 0, from: 8, to: 9, fate: 'done' })
    expect((await made.audit({ options })).offending.foreign).toEqual([{ partition: 0, offsets: [8] }])
  })

  test('counters of done and late records that do not add up', async () => {
    await using made = await honest(services)
    await made.position(0, { next: 8, counters: { ...COUNTERS, dropped: 2, late: 0 } })
    expect((await made.audit({ options })).offending.mismatch).toEqual([
      {
        where: 'counters',
        partition: 0,
        expected: COUNTERS,
        found: { ...COUNTERS, dropped: 2, late: 0 },
      },
    ])
  })

  test('a window that counts otherwise than the done records do', async () => {
    await using made = await honest(services)
    await made.windows(0, [{ aggregate: 'answers', start: 0, value: 7 }])
    expect((await made.audit({ options })).offending.mismatch).toEqual([
      { where: 'state', aggregate: 'answers', slot: 0, window: 'total', expected: 6, found: 7 },
    ])
  })

  test('a record that comes out otherwise when it runs again', async () => {
    await using made = await honest(services)
    const { process } = pipeline
    const fickle = {
      ...pipeline,
      process: (...step: Parameters<NonNullable<typeof process>>) =>
        step[1].origin.offset === 2 ? retry('moody') : (process?.(...step) ?? retry('no-step')),
    }
    const report = await made.audit({ options, pipeline: fickle })
    expect(report.ok).toBe(false)
    expect(report.offending.mismatch).toContainEqual({
      ...{ where: 'recount', partition: 0, offset: 2, expected: 'done', found: 'retry moody' },
    })
  })
})

describe('what is gone is not provable', () => {
  test('fates of done records: nothing is said of what lies before those that are left', async () => {
    await using made = await honest(services)
    const drops = [{ partition: 0, offset: '2' }]
    await made.admin.deleteTopicRecords({ topic: made.names.drops, partitions: drops })
    const report = await made.audit({ options })
    expect(report).toMatchObject({ ok: true, partitions: [{ from: 3, to: 8 }] })
    expect(report.notProvable).toContainEqual(expect.stringContaining('the recount of slots 0'))
  })

  test('records of the input: what they came to can be counted no more', async () => {
    await using made = await honest(services)
    const input = [{ partition: 0, offset: '3' }]
    await made.admin.deleteTopicRecords({ topic: made.names.input, partitions: input })
    const report = await made.audit({ options })
    expect(report).toMatchObject({ ok: true, produced: 5, partitions: [{ from: 3, to: 8 }] })
    expect(report.notProvable).toContainEqual(expect.stringContaining('the recount of slots 0'))
  })
})
