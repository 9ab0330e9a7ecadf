/** Aggregates of errors, recounted from the dead letters. */
import { beforeAll, describe, expect, test } from 'vitest'
import { stateKey } from '../../cluster/protocol/state.ts'
import { definitionHash } from '../../pipelines/api/aggregates.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { type SharedServices, useServices } from '../support/services.ts'
import { Made } from './made.ts'
import { options, pipeline } from './silent-pipeline.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

/** Two letters of one class, one of another. */
const CODES = ['schema:at', 'said-so', 'schema:kind']
const COUNTERS = { done: 0, dead: 3, dropped: 0, late: 0, parked: 0 }
const refusals = (labels: readonly string[], counts: readonly number[]) => ({
  ...{ aggregate: 'refusals', start: 0 },
  value: { labels, counts, other: 0 },
})
const RIGHT = refusals(['validation', 'processing'], [2, 1])

const refused = async (): Promise<Made> => {
  const made = await Made.open(services, pipeline)
  await made.ask(0, CODES.length)
  for (const [offset, code] of CODES.entries()) await made.letter(0, offset, code)
  const position = await made.position(0, { next: CODES.length, counters: COUNTERS })
  await made.publish(0, [RIGHT], position, await made.windows(0, [RIGHT]))
  return made
}

test('dead letters are counted by the class of their code', async () => {
  await using made = await refused()
  expect(await made.audit({ options })).toMatchObject({ ok: true, dead: 3, notProvable: [] })
})

test('a parked record is no error yet', async () => {
  await using made = await refused()
  await made.ask(0, 1)
  await made.state(0, stateKey.retry(0, 3), { attempts: 1, code: 'schema:at' })
  await made.position(0, { next: 4, counters: { ...COUNTERS, parked: 1 } })
  expect(await made.audit({ options })).toMatchObject({ ok: true, parked: 1, notProvable: [] })
})

describe('what is planted is named', () => {
  test('an error too many in the state, and one too few in Redis', async () => {
    await using made = await refused()
    const position = await made.position(0, { next: 3, counters: COUNTERS })
    const [offset = 0] = await made.windows(0, [refusals(['validation', 'processing'], [3, 1])])
    await made.publish(0, [refusals(['validation'], [2])], position, [offset])
    expect((await made.audit({ options })).offending.mismatch).toEqual([
      {
        ...{ where: 'state', aggregate: 'refusals', slot: 0, window: 'total' },
        expected: { validation: 2 },
        found: { validation: 3 },
      },
      {
        ...{ where: 'redis', aggregate: 'refusals', slot: 0, window: 'total' },
        expected: { processing: 1 },
        found: { processing: 0 },
      },
    ])
  })

  test('a letter that came twice: doubled, and counted once', async () => {
    await using made = await refused()
    await made.letter(0, 1)
    expect(await made.audit({ options })).toMatchObject({ ok: false, double: 1, mismatch: 0 })
  })

  test('a letter of another class', async () => {
    await using made = await refused()
    const other: AnyPipeline = { ...pipeline, errorClass: () => 'network' }
    const report = await made.audit({ options, pipeline: other })
    expect(report.offending.mismatch.map((one) => 'expected' in one && one.expected)).toContainEqual({
      network: 3,
      validation: 0,
      processing: 0,
    })
  })
})

describe('what is gone, or was never counted', () => {
  test('letters that retention took: not provable for that aggregate alone', async () => {
    await using made = await refused()
    const letters = [{ partition: 0, offset: '1' }]
    await made.admin.deleteTopicRecords({ topic: made.names.deadLetters, partitions: letters })
    await made.windows(0, [refusals(['validation'], [17])])
    await made.windows(0, [{ aggregate: 'answers', start: 0, value: 1 }])
    const report = await made.audit({ options, redis: undefined })
    expect(report.notProvable).toContain(
      `aggregate refusals of slots 0: the oldest dead letters are gone from ${made.names.deadLetters}`,
    )
    expect(report.offending.mismatch).toMatchObject([{ where: 'state', aggregate: 'answers' }])
  })

  test('letters of before the aggregate was defined', async () => {
    await using made = await refused()
    const aggregate = pipeline.aggregates?.refusals
    if (aggregate === undefined) throw new Error('no such aggregate')
    const { begin } = await metaOf(made)
    const definitions = { refusals: { hash: definitionHash(aggregate), since: { 0: 1 } } }
    await made.state(0, stateKey.meta, { ...begin, definitions })
    const report = await made.audit({ options, redis: undefined })
    expect(report.offending.mismatch).toMatchObject([
      { where: 'state', aggregate: 'refusals', expected: { validation: 1 }, found: { validation: 2 } },
    ])
    await made.windows(0, [refusals(['validation', 'processing'], [1, 1])])
    expect(await made.audit({ options, redis: undefined })).toMatchObject({ ok: true })
  })
})

const metaOf = async (made: Made) => {
  const { topicId } = await made.input.topic(made.names.input)
  const begin = {
    ...{ format: 1, millrace: '0.0.0', slots: 1, inputClusterId: made.input.clusterId },
    ...{ inputTopicId: topicId, outputMapping: 'none', definitions: {} },
  }
  return { begin }
}
