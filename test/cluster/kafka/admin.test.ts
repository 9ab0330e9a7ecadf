import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createInput,
  describeTopic,
  describeTopics,
  ensureClusterTopic,
  ensureTopics,
} from '../../../cluster/kafka/admin.ts'
import { clusterTopic, namesOf } from '../../../cluster/protocol/names.ts'
import { readSettings, type Settings } from '../../../cluster/settings.ts'
import { uniqueName, useServices } from '../../support/services.ts'

let admin: Admin
let brokers: readonly string[]

beforeAll(async () => {
  brokers = (await useServices()).kafka
  admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
})
afterAll(() => admin?.disconnect())

/** A pipeline of the test's own; the prefix keeps its cluster topic apart too. */
const setUp = (more: Partial<Settings> = {}) => {
  const topicPrefix = uniqueName('admin-')
  const settings = readSettings({}, { topicPrefix, kafkaBrokers: brokers, ...more })
  const names = namesOf('p', { input: 'in', output: 'out', deadLetters: 'dlq' }, topicPrefix)
  const own = [
    names.output ?? '',
    names.deadLetters,
    names.state,
    names.drops,
    names.retried,
    clusterTopic(topicPrefix),
  ]
  return { settings, names, own, admins: { input: admin, home: admin } }
}

const make = async (topic: string, numPartitions: number, configs: Record<string, string> = {}) => {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: false })
  await expect.poll(() => describeTopic(admin, topic)).toBeDefined()
}

describe('ensureTopics', () => {
  test('makes everything a pipeline needs, and nothing the second time', async () => {
    const { settings, names, own, admins } = setUp({ partitions: 3 })
    expect(await createInput(admin, names.input, settings)).toBe(true)
    expect(await createInput(admin, names.input, settings)).toBe(false)
    const first = await ensureTopics(admins, names, settings)
    expect(first).toMatchObject({ slots: 3, notes: [] })
    expect([...first.created].sort()).toEqual([...own].sort())
    expect(first.topics.get(names.state)).toMatchObject({
      partitions: 3,
      configs: { 'cleanup.policy': 'compact', 'segment.bytes': '4194304' },
    })
    expect((await ensureTopics(admins, names, settings)).created).toEqual([])
  })

  test('an input that is not there is named, and nothing is made', async () => {
    const { settings, names, own, admins } = setUp()
    await expect(ensureTopics(admins, names, settings)).rejects.toMatchObject({
      code: 'topic-missing',
      message: `input topic ${names.input} does not exist`,
    })
    expect([...(await describeTopics(admin, own)).keys()]).toEqual([])
  })

  test('many starting at once end with the same topics', async () => {
    const { settings, names, own, admins } = setUp()
    await make(names.input, 2)
    const all = await Promise.all(Array.from({ length: 6 }, () => ensureTopics(admins, names, settings)))
    expect(all.flatMap(({ created }) => created).sort()).toEqual([...own].sort())
    for (const { topics, slots } of all) expect([topics.size, slots]).toEqual([own.length, 2])
  })

  test.each(['state', 'drops', 'retried'] as const)(
    'another partition count of %s is refused with both counts, and nothing is made',
    async (role) => {
      const { settings, names, own, admins } = setUp({ slots: 2 })
      await make(names.input, 2)
      await make(names[role], 5, role === 'state' ? { 'cleanup.policy': 'compact' } : {})
      const expected =
        role === 'state'
          ? /has 5 partitions, but MILLRACE_SLOTS is 2/
          : /has 5 partitions, but the pipeline has 2 slots/
      await expect(ensureTopics(admins, names, settings)).rejects.toThrow(expected)
      expect([...(await describeTopics(admin, own)).keys()]).toEqual([names[role]])
    },
  )

  test('what the broker would refuse is refused before anything is made', async () => {
    const { settings, names, own, admins } = setUp({ replication: 3 })
    await make(names.input, 2)
    await expect(ensureTopics(admins, names, settings)).rejects.toMatchObject({
      code: 'topic-mismatch',
      remedy: 'set MILLRACE_REPLICATION to at most the number of brokers',
    })
    expect([...(await describeTopics(admin, own)).keys()]).toEqual([])
  })

  test('one topic that cannot be made leaves none half-way', async () => {
    const { settings, names, own, admins } = setUp()
    await make(names.input, 2)
    // Kafka refuses a name that differs only in dots and underscores; ours of that kind is made last.
    await make(names.retried.replaceAll('.', '_'), 1)
    await expect(ensureTopics(admins, names, settings)).rejects.toMatchObject({ code: 'topic-mismatch' })
    expect([...(await describeTopics(admin, own)).keys()]).toEqual([])
  })

  test('a state topic that is not compacted is refused', async () => {
    const { settings, names, admins } = setUp()
    await make(names.input, 2)
    await make(names.state, 2)
    await expect(ensureTopics(admins, names, settings)).rejects.toMatchObject({
      code: 'topic-mismatch',
      message: `topic ${names.state} has cleanup.policy=delete, but needs compact`,
    })
  })

  test('settings that somebody changed are set right at the next start, the others stay', async () => {
    const { settings, names, admins } = setUp()
    await make(names.input, 2)
    await make(names.state, 2, { 'cleanup.policy': 'compact', 'segment.ms': '7000000', 'flush.ms': '123456' })
    const { notes } = await ensureTopics(admins, names, settings)
    expect(notes).toContain(`topic ${names.state}: segment.ms was 7000000, now 3600000`)
    const state = await describeTopic(admin, names.state)
    expect(state?.configs).toMatchObject({
      'cleanup.policy': 'compact',
      'segment.ms': '3600000',
      'max.message.bytes': String(1_048_588 + 65_536),
      'flush.ms': '123456',
    })
    expect((await ensureTopics(admins, names, settings)).notes).toEqual([])
  })

  test('an input that takes larger records enlarges what takes them up', async () => {
    const { settings, names, admins } = setUp()
    await make(names.input, 1, { 'max.message.bytes': '3000000', 'retention.ms': '60000' })
    const { topics } = await ensureTopics(admins, names, settings)
    const largest = (name: string) => topics.get(name)?.configs['max.message.bytes']
    expect(largest(names.output ?? '')).toBe('3000000')
    for (const name of [names.state, names.deadLetters, names.retried]) expect(largest(name)).toBe('3065536')
    expect(topics.get(names.drops)?.configs['retention.ms']).toBe('60000')
  })

  test('compacted outputs work, and it is said that they prove less', async () => {
    const { settings, names, admins } = setUp()
    await make(names.input, 1)
    await make(names.output ?? '', 1, { 'cleanup.policy': 'compact' })
    const { notes } = await ensureTopics(admins, names, settings)
    expect(notes).toEqual([expect.stringContaining('the audit of outputs is not provable')])
  })

  test('more input partitions later leave the slots as they are', async () => {
    const { settings, names, admins } = setUp()
    await make(names.input, 2)
    await ensureTopics(admins, names, settings)
    await admin.createPartitions({ topicPartitions: [{ topic: names.input, count: 5 }] })
    expect(await ensureTopics(admins, names, settings)).toMatchObject({ slots: 2, created: [] })
  })
})

test('a coordinator without pipelines makes the cluster topic, once', async () => {
  const { settings } = setUp()
  await Promise.all([ensureClusterTopic(admin, settings), ensureClusterTopic(admin, settings)])
  expect(await describeTopic(admin, clusterTopic(settings.topicPrefix))).toMatchObject({
    partitions: 1,
    configs: { 'cleanup.policy': 'compact' },
  })
})
