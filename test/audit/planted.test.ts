/** Each fault that is planted into an honest run is named, and nothing else is. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type SharedServices, useServices } from '../support/services.ts'
import { Made } from './made.ts'
import { pipeline } from './pipeline.ts'
import { HOUR, honest } from './story.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

describe('what is planted is named', () => {
  test('a lost record: the position moved past it', async () => {
    await using made = await honest(services)
    const first = await made.ask(0, 2)
    const counters = { done: 4, dead: 1, dropped: 1, late: 1, parked: 0 }
    await made.position(0, { next: first + 2, counters })
    const report = await made.audit()
    expect(report).toMatchObject({ ok: false, lost: 2, double: 0, foreign: 0, mismatch: 0 })
    expect(report.offending.lost).toEqual([{ partition: 0, offsets: [6, 7] }])
  })

  test('a record that was put out twice', async () => {
    await using made = await honest(services)
    await made.output(0, 2, { value: { at: HOUR, kind: 'b' } })
    const report = await made.audit()
    expect(report).toMatchObject({ ok: false, lost: 0, double: 1, foreign: 0, mismatch: 0, order: 0 })
    expect(report.offending.double).toEqual([{ partition: 0, offsets: [{ offset: 2, fates: ['output'] }] }])
  })

  test('a dead letter beside the output', async () => {
    await using made = await honest(services)
    await made.letter(0, 4)
    const report = await made.audit()
    expect(report.double).toBe(1)
    expect(report.offending.double).toEqual([
      { partition: 0, offsets: [{ offset: 4, fates: ['output', 'dead'] }] },
    ])
  })

  test('a drop beside the dead letter', async () => {
    await using made = await honest(services)
    await made.drop({ partition: 0, from: 1, to: 1 })
    expect((await made.audit()).offending.double).toEqual([
      { partition: 0, offsets: [{ offset: 1, fates: ['dead', 'drop'] }] },
    ])
  })

  test('a fate at or above the position, and one of a partition that has none', async () => {
    await using made = await honest(services)
    await made.ask(0, 1)
    await made.letter(0, 6)
    await made.send(made.names.deadLetters, 0, [{ value: 'asked', headers: made.origin(5, 0) }])
    const report = await made.audit()
    expect(report).toMatchObject({ ok: false, lost: 0, foreign: 2 })
    expect(report.offending.foreign).toEqual([
      { partition: 0, offsets: [6] },
      { partition: 5, offsets: [0] },
    ])
  })

  test('an output that overtook another', async () => {
    await using made = await Made.open(services, pipeline)
    await made.ask(0, 3)
    for (const offset of [0, 2, 1]) await made.output(0, offset, { value: { at: HOUR, kind: 'a' } })
    await made.position(0, { next: 3, counters: { done: 3, dead: 0, dropped: 0, late: 0, parked: 0 } })
    const report = await made.audit({ pipeline: { ...pipeline, aggregates: {} } })
    expect(report).toMatchObject({ ok: false, lost: 0, double: 0, order: 1 })
    expect(report.offending.order).toEqual([`${made.names.output}/0@2`])
  })

  test('an output in a partition that is not its own', async () => {
    await using made = await Made.open(services, pipeline, { partitions: 2 })
    await made.ask(0, 1)
    const headers = made.origin(0, 0)
    await made.send(made.names.output, 1, [
      { key: 'k', value: JSON.stringify({ at: HOUR, kind: 'a' }), headers },
    ])
    await made.position(0, { next: 1, counters: { done: 1, dead: 0, dropped: 0, late: 0, parked: 0 } })
    const report = await made.audit({ pipeline: { ...pipeline, aggregates: {} } })
    expect(report).toMatchObject({ ok: false, lost: 0, foreign: 0, order: 1 })
    expect(report.offending.order).toEqual([`${made.names.output}/1@0`])
  })

  test('counters that do not add up', async () => {
    await using made = await honest(services)
    await made.position(0, { next: 6, counters: { done: 5, dead: 1, dropped: 1, late: 1, parked: 0 } })
    const report = await made.audit()
    expect(report).toMatchObject({ ok: false, mismatch: 1 })
    expect(report.offending.mismatch).toMatchObject([
      { where: 'counters', partition: 0, expected: { done: 4 }, found: { done: 5 } },
    ])
  })

  test('a record of somebody else is told of, but is no fault', async () => {
    await using made = await honest(services)
    await made.send(made.names.output, 0, [{ key: 'k', value: 'mine' }])
    const report = await made.audit()
    expect(report.ok).toBe(true)
    expect(report.notProvable).toEqual([expect.stringContaining(`${made.names.output}/0@4`)])
  })
})
