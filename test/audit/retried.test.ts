/** Records that needed more than one run: their fates stand out of order by nature, and nothing else is forgiven them. */
import { beforeAll, expect, test } from 'vitest'
import { stateKey } from '../../cluster/protocol/state.ts'
import { definitionHash } from '../../pipelines/api/aggregates.ts'
import { type SharedServices, useServices } from '../support/services.ts'
import { Made } from './made.ts'
import { pipeline } from './pipeline.ts'
import { honest as silent } from './silent.ts'
import { options } from './silent-pipeline.ts'
import { HOUR } from './story.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

const value = { at: HOUR, kind: 'a' }
const plain = { ...pipeline, aggregates: {} }
const NONE = { done: 0, dead: 0, dropped: 0, late: 0, parked: 0 }

const answeredInOrder = async (
  offsets: readonly (readonly [offset: number, attempts?: number])[],
): Promise<Made> => {
  const made = await Made.open(services, pipeline)
  await made.ask(0, offsets.length)
  for (const [offset, attempts] of offsets)
    await made.output(0, offset, { value, ...(attempts && { attempts }) })
  await made.position(0, { next: offsets.length, counters: { ...NONE, done: offsets.length } })
  return made
}

test('an output that was retried may come late; the others keep their order around it', async () => {
  await using made = await answeredInOrder([[0], [2], [1, 2], [3]])
  expect(await made.audit({ pipeline: plain })).toMatchObject({ ok: true, order: 0, outputs: 4 })
  await using wrong = await answeredInOrder([[0], [2], [1, 1]])
  expect(await wrong.audit({ pipeline: plain })).toMatchObject({ ok: false, order: 1 })
  await using behind = await answeredInOrder([[0], [3], [1, 2], [2]])
  expect(await behind.audit({ pipeline: plain })).toMatchObject({ ok: false, order: 1 })
})

test('a retried output that came twice is doubled, one that is parked still is as well', async () => {
  await using made = await answeredInOrder([[1], [0, 2]])
  await made.output(0, 0, { value, attempts: 3 })
  expect((await made.audit({ pipeline: plain })).offending.double).toEqual([
    { partition: 0, offsets: [{ offset: 0, fates: ['output'] }] },
  ])
  await using parked = await answeredInOrder([[1], [0, 2]])
  await parked.state(0, stateKey.retry(0, 0), { attempts: 1 })
  expect((await parked.audit({ pipeline: plain })).offending.double).toEqual([
    { partition: 0, offsets: [{ offset: 0, fates: ['output', 'parked'] }] },
  ])
})

test('where the oldest outputs are gone, a retried one does not tell from where on all are there', async () => {
  await using made = await answeredInOrder([[0], [2], [3], [1, 2], [4], [5]])
  const topic = made.names.output ?? ''
  await made.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
  const report = await made.audit({ pipeline: plain })
  expect(report).toMatchObject({ ok: true, lost: 0, partitions: [{ from: 4, to: 6 }] })
})

test('nor does a retried letter, or a retried done record', async () => {
  await using made = await Made.open(services, plain)
  await made.ask(0, 4)
  for (const [offset, attempts] of [[0], [2], [1, 3], [3]] as const)
    await made.letter(0, offset, 'said-so', attempts)
  await made.position(0, { next: 4, counters: { ...NONE, dead: 4 } })
  const letters = { topic: made.names.deadLetters, partitions: [{ partition: 0, offset: '2' }] }
  await made.admin.deleteTopicRecords(letters)
  expect(await made.audit()).toMatchObject({ ok: true, partitions: [{ from: 3 }] })

  await using done = await silent(services)
  await done.askFor(0, [value, value, value])
  await done.drop({ partition: 0, from: 9, to: 9, fate: 'done' })
  await done.drop({ partition: 0, from: 8, to: 8, fate: 'done', attempts: 2 })
  await done.drop({ partition: 0, from: 10, to: 10, fate: 'done' })
  await done.position(0, { next: 11, counters: { done: 9, dead: 1, dropped: 1, late: 1, parked: 0 } })
  const drops = { topic: done.names.drops, partitions: [{ partition: 0, offset: '8' }] }
  await done.admin.deleteTopicRecords(drops)
  const report = await done.audit({ options, pipeline: { ...done.pipeline, aggregates: {} } })
  expect(report).toMatchObject({ lost: 0, double: 0, partitions: [{ from: 10 }] })
})

test('an aggregate redefined while a record waited cannot be recounted', async () => {
  await using made = await answeredInOrder([[1], [0, 2]])
  const { topicId } = await made.input.topic(made.names.input)
  const answers = pipeline.aggregates?.answers
  if (answers === undefined) throw new Error('no such aggregate')
  await made.state(0, stateKey.meta, {
    ...{ format: 1, millrace: '0.0.0', slots: 1, inputClusterId: made.input.clusterId },
    ...{ inputTopicId: topicId, outputMapping: 'same' },
    definitions: { answers: { hash: definitionHash(answers), since: { 0: 1 } } },
  })
  await made.windows(0, [{ aggregate: 'answers', start: 0, value: 2 }])
  const report = await made.audit({
    pipeline: { ...pipeline, aggregates: { answers } },
    redis: undefined,
  })
  expect(report).toMatchObject({
    ok: true,
    notProvable: [
      'aggregate answers: it was redefined while records waited that have been retried since',
      'Redis: it was not asked',
    ],
  })
})
