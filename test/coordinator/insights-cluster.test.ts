import { describe, expect, test } from 'vitest'
import { spokesmanFor } from '../../cli/coordinator-insights.ts'
import { EventBus, type Events } from '../../cluster/events.ts'
import type { SlotHead, ViewReader, WindowParts } from '../../cluster/redis/views-read.ts'
import { type ClusterMessage, publishClusterInsights } from '../../coordinator/cluster-insights.ts'
import { encode, hourly, merge, total, type Value } from '../../pipelines/api/aggregates.ts'
import type { AnyPipeline, ClusterInsights } from '../../pipelines/api/define.ts'
import { Folder } from '../../pipelines/api/folder.ts'
import { pipeline as userLogin } from '../../pipelines/user-login/pipeline.ts'
import { alertLine } from '../../telemetry/log.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const aggregates = { logins: total.count(), devices: total.top('device', 2), errors: total.errors() }

const pipelineWith = (over: Partial<AnyPipeline>): AnyPipeline => ({
  ...userLogin,
  name: 'p',
  aggregates,
  ...over,
})

const counted: ClusterInsights = {
  seconds: 5,
  messages: (figures) => [
    { key: 'logins', value: { logins: figures.number('logins') } },
    { key: 'top', value: { devices: figures.counts('devices') } },
  ],
}

/** What a slot has in Redis after so many logins and dead letters. */
const partsOf = (
  slot: number,
  devices: readonly string[],
  errors: readonly string[] = [],
): WindowParts['parts'] => {
  const folder = new Folder(aggregates, { watermark: 0, now: 0 })
  for (const device of devices) folder.add({ device }, 0)
  for (const one of errors) folder.error(one)
  return folder.take().windows.map(({ aggregate, value }) => {
    const definition = aggregates[aggregate as keyof typeof aggregates]
    return { slot, aggregate, offset: 1, value: encode(definition, value) }
  })
}

const rig = (pipelines: Readonly<Record<string, AnyPipeline | undefined>>, slots = 2, alertAt?: number) => {
  const clock = virtualClock()
  const events = new EventBus()
  const sent: { readonly pipeline: string; readonly messages: readonly ClusterMessage[] }[] = []
  const state = {
    leads: true,
    fails: false,
    slots: new Map<number, WindowParts['parts']>([
      [0, partsOf(0, ['iOS', 'iOS', 'android'])],
      [1, partsOf(1, ['android', 'android', 'web'])],
    ]),
  }
  const told = { skipped: [] as string[], alerts: [] as Events['alert'][], said: 0, waiting: 0 }
  events.on('skipped', ({ detail }) => told.skipped.push(detail))
  events.on('alert', (alert) => told.alerts.push(alert))
  events.on('waiting', () => (told.waiting += 1))
  events.on('clusterInsights', () => (told.said += 1))
  const window = (): WindowParts => ({
    size: 'total',
    start: 0,
    slots: [...state.slots.keys()],
    parts: [...state.slots.values()].flat(),
  })
  const reader: ViewReader = {
    heads: async () =>
      [...state.slots.keys()].map((slot): SlotHead => ({ slot, stateTopicId: 't', epoch: 1, watermark: -1 })),
    windows: async () => [window()],
    parts: async (_, range) => (range?.size === 'total' ? [window()] : []),
    latest: async () => [],
    read: async () => [],
  }
  const actor = publishClusterInsights({
    clock,
    events,
    reader,
    leads: () => state.leads,
    pipelines: () => Object.keys(pipelines).map((pipeline) => ({ pipeline, slots })),
    spokesmanOf: async (name) => {
      const pipeline = pipelines[name]
      return pipeline && spokesmanFor(pipeline, alertAt)
    },
    send: async (pipeline, messages) => {
      if (state.fails) throw new Error('Kafka is away')
      sent.push({ pipeline, messages })
    },
  })
  return { clock, state, sent, told, actor }
}

const both = (
  slots: ReadonlyMap<number, WindowParts['parts']>,
  name: keyof typeof aggregates,
): Value | undefined =>
  [...slots.values()]
    .flatMap((parts) => parts.filter(({ aggregate }) => aggregate === name))
    .map(({ value }) => value as Value)
    .reduce((a, b) => merge(aggregates[name], a, b))

describe('what a pipeline says of its totals', () => {
  test('covers all slots, comes every so many seconds, and only what has changed', async () => {
    const { clock, state, sent, told, actor } = rig({ p: pipelineWith({ clusterInsights: counted }) })
    await clock.advance(1000)
    expect(sent).toEqual([
      {
        pipeline: 'p',
        messages: [
          { key: 'logins', value: { logins: both(state.slots, 'logins') } },
          {
            key: 'top',
            value: {
              devices: [
                ['android', 3],
                ['iOS', 2],
              ],
            },
          },
        ],
      },
    ])
    expect(both(state.slots, 'logins')).toBe(6)
    state.slots.set(1, partsOf(1, ['android', 'android', 'web', 'web']))
    await clock.advance(3500)
    expect(sent).toHaveLength(1)
    await clock.advance(1500)
    expect(sent[1]?.messages).toEqual([{ key: 'logins', value: { logins: 7 } }])
    await clock.advance(30_000)
    expect(sent).toHaveLength(2)
    expect(told.said).toBe(2)
    await actor.stop()
  })

  test('waits while a slot has nothing in Redis: a wiped view is not the truth', async () => {
    const { clock, state, sent, actor } = rig({ p: pipelineWith({ clusterInsights: counted }) })
    state.slots.delete(1)
    await clock.advance(20_000)
    expect(sent).toEqual([])
    state.slots.set(1, partsOf(1, []))
    await clock.advance(1000)
    expect(sent[0]?.messages[0]).toEqual({ key: 'logins', value: { logins: 3 } })
    await actor.stop()
  })

  test('is said by the leader only, anew by a new one, and once more when it stops', async () => {
    const { clock, state, sent, actor } = rig({ p: pipelineWith({ clusterInsights: counted }) })
    state.leads = false
    await clock.advance(10_000)
    expect(sent).toEqual([])
    state.leads = true
    await clock.advance(1000)
    state.leads = false
    await clock.advance(1000)
    state.leads = true
    await clock.advance(1000)
    expect(sent).toHaveLength(2)
    expect(sent[1]).toEqual(sent[0])
    state.slots.set(0, partsOf(0, ['iOS']))
    await actor.stop()
    expect(sent[2]?.messages).toContainEqual({ key: 'logins', value: { logins: 4 } })
  })

  test('what could not be sent is sent later, and the waiting is told once', async () => {
    const { clock, state, sent, told, actor } = rig({ p: pipelineWith({ clusterInsights: counted }) })
    state.fails = true
    await clock.advance(12_000)
    expect([sent.length, told.waiting]).toEqual([0, 1])
    state.fails = false
    await clock.advance(6000)
    expect(sent).toHaveLength(1)
    await actor.stop()
  })

  test('a pipeline that fails is told once, with its reason, and disturbs no other', async () => {
    const saying = (messages: () => unknown) =>
      pipelineWith({ clusterInsights: { seconds: 1, messages } as ClusterInsights })
    const { clock, sent, told, actor } = rig({
      throws: saying(() => {
        throw new Error('no aggregate is called lgoins')
      }),
      text: saying(() => 'text'),
      unknown: undefined,
      z: pipelineWith({ clusterInsights: counted }),
    })
    await clock.advance(10_000)
    expect(sent.map(({ pipeline }) => pipeline)).toEqual(['z'])
    expect(told.skipped).toEqual([
      'the cluster insights of throws are not published: no aggregate is called lgoins',
      'the cluster insights of text are not published: its function returns no list',
    ])
    await actor.stop()
  })

  test('a message that cannot go out, or would pass for a closed window, is left out; the others go', async () => {
    const messages = () => [
      { key: 'good', value: {} },
      { key: '', value: {} },
      { key: 'number', value: 1 },
      { key: 'good', value: { again: true } },
      { key: 'hourly/3600000/0', value: {} },
      { key: 'region/a/1/2', value: {} },
    ]
    const { clock, sent, told, actor } = rig({
      p: pipelineWith({
        aggregates: { ...aggregates, hourly: hourly.count() },
        clusterInsights: { seconds: 1, messages } as ClusterInsights,
      }),
    })
    await clock.advance(10_000)
    expect(sent.flatMap((one) => one.messages.map(({ key }) => key))).toEqual(['good', 'region/a/1/2'])
    expect(told.skipped.map((line) => line.replace(/.*left out: /, ''))).toEqual([
      'a message has no key',
      'the value of a message is no object',
      'two messages have one key',
      'a message has the key of a closed window of hourly',
    ])
    await actor.stop()
  })
})

describe('an alert', () => {
  const alerting = pipelineWith({ alertAt: 5 })

  test('is told once a class, when the slots together reach the number', async () => {
    const { clock, state, told, actor } = rig({ p: alerting })
    const errors = (slot: number, validation: number, parsing: number) =>
      state.slots.set(
        slot,
        partsOf(slot, [], [...Array(validation).fill('validation'), ...Array(parsing).fill('parsing')]),
      )
    errors(0, 2, 4)
    errors(1, 2, 0)
    await clock.advance(5000)
    expect(told.alerts).toEqual([])
    errors(1, 3, 0)
    await clock.advance(5000)
    expect(told.alerts).toEqual([{ pipeline: 'p', errorClass: 'validation', count: 5, at: 5 }])
    expect(told.alerts.map(alertLine)).toEqual(['p: 5 dead letters of class validation (alert at 5)'])
    errors(1, 9, 9)
    await clock.advance(5000)
    expect(told.alerts.slice(1)).toEqual([{ pipeline: 'p', errorClass: 'parsing', count: 13, at: 5 }])
    await actor.stop()
  })

  test('comes at the number of the settings where the pipeline names none and counts errors', async () => {
    const { errors: _, ...uncounted } = aggregates
    const pipelines = {
      silent: pipelineWith({}),
      own: alerting,
      uncounted: pipelineWith({ aggregates: uncounted }),
    }
    const { clock, state, told, actor } = rig(pipelines, 2, 3)
    state.slots.set(0, partsOf(0, [], Array(4).fill('network')))
    await clock.advance(5000)
    expect(told.alerts).toEqual([{ pipeline: 'silent', errorClass: 'network', count: 4, at: 3 }])
    await actor.stop()
  })

  test('is told again by a new leader', async () => {
    const { clock, state, told, actor } = rig({ p: alerting })
    state.slots.set(0, partsOf(0, [], Array(5).fill('network')))
    await clock.advance(2000)
    state.leads = false
    await clock.advance(2000)
    state.leads = true
    await clock.advance(2000)
    expect(told.alerts.map(({ errorClass }) => errorClass)).toEqual(['network', 'network'])
    await actor.stop()
  })
})
