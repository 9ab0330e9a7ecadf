/** Insights by count: each batch once, and no done record outside of them. */
import { beforeAll, describe, expect, test } from 'vitest'
import { stateKey } from '../../cluster/protocol/state.ts'
import { type SharedServices, useServices } from '../support/services.ts'
import { honest, waiting } from './silent.ts'
import { options } from './silent-pipeline.ts'
import { openTransaction } from './story.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

const wrong = (of: string, expected: number, found: number) => ({
  ...{ where: 'insights', slot: 0, of, expected, found },
})

describe('what is planted is named', () => {
  test('batches that were never published, neighbours in one line', async () => {
    await using made = await honest(services)
    await made.state(0, stateKey.insights, { ...waiting, published: 5 })
    await made.say({ slot: 0, number: 3, records: 2 })
    const report = await made.audit({ options })
    expect(report).toMatchObject({ ok: false, lost: 0, mismatch: 2 })
    expect(report.offending.mismatch).toEqual([wrong('batch 2', 1, 0), wrong('batch 4', 1, 0)])
    await made.state(0, stateKey.insights, { ...waiting, published: 8 })
    expect((await made.audit({ options })).offending.mismatch).toEqual([
      wrong('batch 2', 1, 0),
      wrong('batches 4-7', 4, 0),
    ])
  })

  test('a batch that was published again by a later commit', async () => {
    await using made = await honest(services)
    await made.say({ slot: 0, number: 1, records: 2 }, { at: 5000 })
    expect((await made.audit({ options })).offending.mismatch).toEqual([wrong('batch 1', 1, 2)])
    await made.say({ slot: 0, number: 0, records: 2 }, { at: 1000 })
    expect((await made.audit({ options })).offending.mismatch).toEqual([
      wrong('batch 0', 1, 2),
      wrong('batch 1', 1, 2),
    ])
  })

  test('a batch that the state knows nothing of, also of a slot without any', async () => {
    await using made = await honest(services)
    await made.say({ slot: 0, number: 2, records: 2 })
    await made.say({ slot: 3, number: 0, records: 2 })
    expect((await made.audit({ options })).offending.mismatch).toEqual([
      wrong('batch 2', 0, 1),
      { ...wrong('batch 0', 0, 1), slot: 3 },
    ])
  })

  test('a batch of fewer records than were taken for it', async () => {
    await using made = await honest(services)
    await made.state(0, stateKey.insights, { ...waiting, published: 3, records: 1 })
    await made.say({ slot: 0, number: 2, records: 2 })
    expect((await made.audit({ options })).offending.mismatch).toEqual([
      wrong('records of the batches', 6, 7),
    ])
  })

  test('a done record that went into no batch', async () => {
    await using made = await honest(services)
    await made.state(0, stateKey.insights, { ...waiting, records: 1, total: 5 })
    expect((await made.audit({ options })).offending.mismatch).toEqual([wrong('done records', 6, 5)])
    await made.state(0, stateKey.insights, { ...waiting, records: 1, total: 5, since: 1 })
    expect(await made.audit({ options })).toMatchObject({ ok: true, notProvable: [] })
  })
})

describe('what is no fault', () => {
  test('batches of another pipeline, which shares the topic', async () => {
    await using made = await honest(services)
    const headers = { 'millrace-pipeline': 'another', 'millrace-batch': '0/7/2' }
    await made.send(made.names.insights, 0, [{ value: '{}', headers }, { value: 'no headers' }])
    expect(await made.audit({ options })).toMatchObject({ ok: true, notProvable: [] })
  })

  test('oldest batches that retention took; those behind them still count', async () => {
    await using made = await honest(services)
    const told = [{ partition: 0, offset: '2' }]
    await made.admin.deleteTopicRecords({ topic: made.names.insights ?? '', partitions: told })
    const report = await made.audit({ options })
    expect(report).toMatchObject({
      ok: true,
      notProvable: [`insights of slots 0: the oldest are gone from ${made.names.insights}`],
    })
    await made.say({ slot: 0, number: 1, records: 2 })
    expect((await made.audit({ options })).offending.mismatch).toEqual([wrong('batch 1', 1, 2)])
  })

  test('a batch published while it looked', async () => {
    await using made = await honest(services)
    const open = await openTransaction(made, made.names.deadLetters)
    const waited = Promise.withResolvers<string>()
    const auditing = made.audit({ options, waiting: waited.resolve })
    expect(await waited.promise).toContain(made.names.deadLetters)
    await made.say({ slot: 0, number: 2, records: 2 })
    await made.state(0, stateKey.insights, { ...waiting, records: 0, published: 3 })
    await open.end()
    expect(await auditing).toMatchObject({ ok: true, mismatch: 0 })
  })
})
