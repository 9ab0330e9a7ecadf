import { describe, expect, test } from 'vitest'
import {
  checkTopics,
  describeMismatch,
  isAlterable,
  refuseMismatches,
} from '../../../cluster/kafka/topic-check.ts'
import {
  durabilityFor,
  slotsFor,
  type TopicDescription,
  type WantedTopic,
  wantedClusterTopic,
  wantedTopics,
} from '../../../cluster/kafka/topics.ts'
import { namesOf } from '../../../cluster/protocol/names.ts'

const names = namesOf('user-login', {
  input: 'user-login',
  output: 'processed-user-login',
  deadLetters: 'user-login-dlq',
})

const input = (configs: Record<string, string> = {}, partitions = 4, replication = 3): TopicDescription => ({
  name: 'user-login',
  partitions,
  replication,
  configs: {
    'cleanup.policy': 'delete',
    'retention.ms': '86400000',
    'retention.bytes': '-1',
    'max.message.bytes': '1000000',
    'min.insync.replicas': '2',
    ...configs,
  },
})
const none = { replication: undefined, minInsyncReplicas: undefined }
const wantedFrom = (from = input(), slots = 4, wishes = {}) =>
  new Map(wantedTopics(names, from, slots, { ...none, ...wishes }).map((topic) => [topic.role, topic]))

/** The topics exactly as wanted, with a change. */
const asWanted = (wanted: readonly WantedTopic[], change: Partial<TopicDescription> & { name: string }) =>
  new Map(
    wanted.map(({ name, partitions, replication, configs }) => {
      const topic = { name, partitions, replication, configs }
      if (name !== change.name) return [name, topic]
      return [name, { ...topic, ...change, configs: { ...configs, ...change.configs } }]
    }),
  )

describe('wanted topics', () => {
  test('state is compacted alone, with the settings of the protocol', () =>
    expect(wantedFrom().get('state')).toMatchObject({
      name: 'millrace.user-login.state',
      partitions: 4,
      configs: {
        'cleanup.policy': 'compact',
        'segment.bytes': '4194304',
        'segment.ms': '3600000',
        'max.compaction.lag.ms': '3600000',
        'delete.retention.ms': '3600000',
        'min.cleanable.dirty.ratio': '0.1',
        'max.message.bytes': '1065536',
      },
    }))

  test('an input of the largest records Kafka knows makes topics that Kafka accepts', () =>
    expect(wantedFrom(input({ 'max.message.bytes': '2147483647' })).get('state')?.configs).toMatchObject({
      'max.message.bytes': '2147483647',
    }))

  test('state, drops and retried have one partition a slot; outputs and dead letters those of the input', () => {
    const wanted = wantedFrom(input({}, 600), 256)
    const partitions = (role: 'output' | 'dead-letters' | 'state' | 'drops' | 'retried') =>
      wanted.get(role)?.partitions
    expect(
      [partitions('state'), partitions('drops'), partitions('retried')].every((count) => count === 256),
    ).toBe(true)
    expect([partitions('output'), partitions('dead-letters')]).toEqual([600, 600])
  })

  test('no topic that holds a fate inherits compaction, and none forgets before the input does', () => {
    const wanted = wantedFrom(input({ 'cleanup.policy': 'compact' }))
    for (const role of ['output', 'dead-letters', 'drops'] as const)
      expect(wanted.get(role)?.configs).toMatchObject({ 'cleanup.policy': 'delete', 'retention.ms': '-1' })
  })

  test('drops are kept as long as the input, however many bytes that is', () =>
    expect(wantedFrom(input({ 'retention.bytes': '1000' })).get('drops')?.configs).toMatchObject({
      'retention.ms': '86400000',
      'retention.bytes': '-1',
    }))

  test('dead letters and retried carry the time of writing, outputs that of the input', () => {
    const type = (role: 'output' | 'dead-letters' | 'retried') =>
      wantedFrom(input({ 'message.timestamp.type': 'LogAppendTime' })).get(role)?.configs[
        'message.timestamp.type'
      ]
    expect([type('dead-letters'), type('retried'), type('output')]).toEqual([
      'LogAppendTime',
      'LogAppendTime',
      'CreateTime',
    ])
  })

  test('a pipeline without an output topic makes none', () => {
    const sink = namesOf('sink', { input: 'user-login', deadLetters: 'sink-dlq' })
    expect(wantedTopics(sink, input(), 1, none).map(({ role }) => role)).not.toContain('output')
  })

  test('replication and min.insync.replicas follow the input unless set', () => {
    expect(durabilityFor(input(), none)).toEqual({ replication: 3, minInsync: 2 })
    expect(durabilityFor(input(), { replication: 5, minInsyncReplicas: 3 })).toEqual({
      replication: 5,
      minInsync: 3,
    })
  })

  test('fewer replicas than the input never make a topic that cannot be written', () =>
    expect(durabilityFor(input(), { ...none, replication: 1 })).toEqual({ replication: 1, minInsync: 1 }))

  test('more in-sync replicas than replicas are refused', () =>
    expect(() => durabilityFor(input(), { replication: 2, minInsyncReplicas: 3 })).toThrow(
      'min.insync.replicas 3 is more than the 2 replicas',
    ))
})

describe('slots', () => {
  const state = (partitions: number): TopicDescription => ({
    name: 'millrace.user-login.state',
    partitions,
    replication: 1,
    configs: {},
  })
  test('a new pipeline has one slot an input partition, at most 256', () => {
    expect(slotsFor(input(), undefined)).toBe(4)
    expect(slotsFor(input({}, 1000), undefined)).toBe(256)
    expect(slotsFor(input(), undefined, 2)).toBe(2)
  })
  test('once the state topic exists its partitions count, however many the input has', () =>
    expect(slotsFor(input({}, 12), state(4))).toBe(4))
  test('another wish is refused with both numbers', () =>
    expect(() => slotsFor(input(), state(4), 8)).toThrow('has 4 partitions, but MILLRACE_SLOTS is 8'))
})

describe('check', () => {
  const wanted = [
    ...wantedFrom().values(),
    wantedClusterTopic('millrace.cluster', { replication: 3, minInsync: 2 }),
  ]
  const check = (change: Partial<TopicDescription> & { name: string }) =>
    checkTopics(asWanted(wanted, change), wanted)

  test('topics as wanted pass', () => expect(check({ name: '' })).toEqual([]))

  test('a topic that is not there is missing', () =>
    expect(checkTopics(new Map(), wanted).map(({ mismatch }) => mismatch)).toEqual(
      wanted.map(() => 'missing'),
    ))

  test.each(['state', 'drops', 'retried'])(
    'another partition count of %s is refused with both counts',
    (role) => {
      const found = check({ name: `millrace.user-login.${role}`, partitions: 6 })
      expect(() => refuseMismatches(found)).toThrow(
        `topic millrace.user-login.${role} has 6 partitions, but the pipeline has 4 slots`,
      )
    },
  )

  test.each([names.output ?? '', names.deadLetters])('%s may have any number of partitions', (name) =>
    expect(check({ name, partitions: 9 })).toEqual([]),
  )

  test.each([
    [names.state, 'compact,delete'],
    [names.drops, 'compact'],
    [names.retried, 'compact'],
    [names.deadLetters, 'compact'],
    ['millrace.cluster', 'delete'],
  ])('%s with cleanup.policy=%s is refused: records may be lost', (name, policy) =>
    expect(() => refuseMismatches(check({ name, configs: { 'cleanup.policy': policy } }))).toThrow(
      `topic ${name} has cleanup.policy=${policy}`,
    ),
  )

  test('compacted outputs work, and it is said what is lost', () => {
    const found = check({ name: names.output ?? '', configs: { 'cleanup.policy': 'compact' } })
    expect(() => refuseMismatches(found)).not.toThrow()
    expect(found.map(describeMismatch)).toEqual([
      'topic processed-user-login has cleanup.policy=compact, but needs delete: the audit of outputs is not provable',
    ])
  })

  test('what can be set right without harm is set right', () => {
    const found = check({ name: names.state, configs: { 'segment.ms': '604800000' } })
    expect(found.every(isAlterable)).toBe(true)
    expect(found.map(describeMismatch)).toEqual([
      'topic millrace.user-login.state has segment.ms=604800000, but needs 3600000',
    ])
  })

  test.each([
    ['max.message.bytes', '2000000', 0],
    ['max.message.bytes', '1000000', 1],
  ])('state with %s=%s has %d mismatches', (config, value, expected) =>
    expect(check({ name: names.state, configs: { [config]: value } })).toHaveLength(expected),
  )

  test.each([
    ['-1', 0],
    ['86400001', 0],
    ['3600000', 1],
  ])('drops kept for %s ms have %d mismatches', (value, expected) =>
    expect(check({ name: names.drops, configs: { 'retention.ms': value } })).toHaveLength(expected),
  )
})
