import { describe, expect, test } from 'vitest'
import { EventBus, type RetryRun } from '../../../cluster/events.ts'
import { parseResult, type RetryData } from '../../../cluster/protocol/retries.ts'
import { NotRun } from '../../../workers/retries/batcher.ts'
import type { ParkedRecord } from '../../../workers/retries/parked-records.ts'
import type { ResultMessage } from '../../../workers/retries/results.ts'
import { Retrier, type RetrierParts } from '../../../workers/retries/retrier.ts'
import type { ParkedOutcome } from '../../../workers/retries/run-parked.ts'
import { parkedAt } from './support.ts'

const { park, attempts, code, message, due, key, preview } = parkedAt(0, 7)
const PARKED: ParkedRecord = {
  head: { park, attempts, code, message, due, key, preview },
  record: Buffer.from('the record'),
}
const DATA: RetryData = {
  origin: 'in/0/7',
  partition: 0,
  offset: 7,
  slot: 3,
  stateOffset: 57,
  park,
  runsBefore: 1,
  code,
  message,
  key,
  preview,
  next: '',
  due: '',
}

const world = (outcome: ParkedOutcome | Error, more: Partial<RetrierParts> = {}) => {
  const sent: ResultMessage[] = []
  const runs: number[] = []
  const told: RetryRun[] = []
  const events = new EventBus()
  events.on('retryRun', (run) => told.push(run))
  const retrier = new Retrier({
    records: { read: async () => PARKED },
    batcher: {
      run: async ({ attempt }) => {
        runs.push(attempt)
        if (outcome instanceof Error) throw outcome
        return outcome
      },
      stop: () => undefined,
    },
    results: { send: async (one) => void sent.push(one) },
    policy: { attempts: 4, delay: 1000, jitter: 0 },
    maxBytes: 500,
    events,
    ...more,
  })
  const result = () => sent.map(({ key, value }) => parseResult(Buffer.from(key), value))[0]
  return { retrier, sent, runs, result, told, events }
}
const RETRY: ParkedOutcome = { outcome: 'retry', code: 'lookup-down', message: 'm' }

describe('one run of a parked record', () => {
  test('done: its output goes to its slot, with the record and the number of the run', async () => {
    const { retrier, sent, runs, result } = world({ outcome: 'done', json: '{"n":1}' })
    expect(await retrier.run(DATA, 1)).toEqual({ verdict: 'ended', note: 'done' })
    expect([sent[0]?.slot, sent[0]?.key, runs]).toEqual([3, '0/7', [3]])
    expect(result()).toMatchObject({
      head: { park, attempt: 3, outcome: 'done' },
      json: '{"n":1}',
      record: PARKED.record,
    })
  })

  test('failed: once more after twice the wait; the shard hears of it too', async () => {
    const { retrier, result } = world(RETRY)
    const verdict = await retrier.run(DATA, 1)
    expect(verdict).toEqual({ verdict: 'failed', code: 'lookup-down', message: 'm', waitMs: 4000 })
    expect(result()).toMatchObject({ head: { outcome: 'retry', attempt: 3 }, record: Buffer.alloc(0) })
  })

  test('failed at its last run: dead with that code, and no further one', async () => {
    const { retrier, result } = world(RETRY)
    expect(await retrier.run(DATA, 2)).toEqual({ verdict: 'failed', code: 'lookup-down', message: 'm' })
    expect(result()).toMatchObject({
      head: { outcome: 'dead', code: 'lookup-down', attempt: 4 },
      record: PARKED.record,
    })
  })

  test('dead: no further run, however many are left', async () => {
    const { retrier, result } = world({ outcome: 'dead', code: 'refused', message: '' })
    expect(await retrier.run(DATA, 0)).toEqual({ verdict: 'failed', code: 'refused', message: '' })
    expect(result()).toMatchObject({ head: { outcome: 'dead', code: 'refused' } })
  })

  test.each([
    ['settled: its state record is gone', undefined],
    ['settled: another one stands there', { ...PARKED, head: { ...PARKED.head, park: 'another' } }],
  ])('%s: it is not run, and nothing is sent', async (_, found) => {
    const { retrier, sent, runs } = world(RETRY, { records: { read: async () => found } })
    expect(await retrier.run(DATA, 0)).toEqual({ verdict: 'ended', note: 'settled before' })
    expect([sent, runs]).toEqual([[], []])
  })

  test('Kafka away, or no thread: later, and no run is spent', async () => {
    const away = async () => Promise.reject(new Error('no broker'))
    const cases = [
      world(RETRY, { records: { read: away } }),
      world(RETRY, { results: { send: away } }),
      world(new NotRun('closed')),
    ]
    for (const { retrier } of cases) expect((await retrier.run(DATA, 0)).verdict).toBe('later')
  })

  test('an output that does not fit beside its record is a dead letter, whole', async () => {
    const { retrier, result } = world({ outcome: 'done', json: JSON.stringify('x'.repeat(500)) })
    await retrier.run(DATA, 0)
    expect(result()).toMatchObject({
      head: { outcome: 'dead', code: 'output-too-large' },
      record: PARKED.record,
    })
  })

  test('the worker ends: a run that takes too long is handed back', async () => {
    const never = new Promise<never>(() => undefined)
    const { retrier } = world(RETRY, { batcher: { run: () => never, stop: () => undefined } })
    const running = retrier.run(DATA, 0)
    retrier.stop(1)
    expect(await running).toEqual({ verdict: 'later', reason: 'the worker ends' })
  })
})
