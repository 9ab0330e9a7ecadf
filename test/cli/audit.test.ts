import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import type { AuditReport } from '../../audit/report.ts'
import { auditText } from '../../cli/audit-text.ts'
import { type Became, Made } from '../audit/made.ts'
import { pipeline } from '../audit/pipeline.ts'
import { type SharedServices, useServices } from '../support/services.ts'
import { type Env, millrace } from './millrace.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

const module = fileURLToPath(new URL('../audit/pipeline.ts', import.meta.url))
const answer: Became = { value: { at: 3_600_000, kind: 'a' } }

const honest = async (): Promise<Made> => {
  const made = await Made.open(services, pipeline)
  await made.work(0, await made.ask(0, 3), [answer, 'dead', answer])
  return made
}

const envOf = ({ settings }: Made, more: Env = {}): Env => ({
  MILLRACE_KAFKA_BROKERS: settings.kafkaBrokers.join(','),
  MILLRACE_REDIS_URL: settings.redisUrl,
  MILLRACE_TOPIC_PREFIX: settings.topicPrefix,
  MILLRACE_CLUSTER_ID: settings.clusterId,
  ...more,
})

test('an audit that finds nothing ends with 0, its verdict last', async () => {
  await using made = await honest()
  const { code, stdout, stderr } = await millrace(['audit', module], { env: envOf(made) })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('audit: ok')
})

test('a fault is named and ends with exit code 10 and one line', async () => {
  await using made = await honest()
  await made.letter(0, 2)
  const { code, stdout, stderr } = await millrace(['audit', module], { env: envOf(made) })
  expect(code).toBe(10)
  expect(stdout).toContain(`double: ${made.names.input}/0 at 2 (output + dead letter)`)
  expect(stderr).toMatch(/^millrace: audit: 1 doubled; .*\n$/)
})

test('-o json prints the report alone', async () => {
  await using made = await honest()
  await made.letter(0, 2)
  const run = await millrace(['audit', module, '-o', 'json', '--no-redis'], { env: envOf(made) })
  const report: AuditReport = JSON.parse(run.stdout)
  expect(report).toMatchObject({
    ok: false,
    pipeline: 'audited',
    produced: 3,
    outputs: 2,
    dead: 2,
    double: 1,
  })
  expect(report.notProvable).toEqual(['Redis: it was not asked'])
})

test('without Redis it fails by name, or goes on where it is told to', async () => {
  await using made = await honest()
  const env = envOf(made, { MILLRACE_REDIS_URL: 'redis://127.0.0.1:1', MILLRACE_START_TIMEOUT: '300ms' })
  expect(await millrace(['audit', module], { env })).toMatchObject({ code: 5 })
  expect(await millrace(['audit', module, '--no-redis'], { env })).toMatchObject({ code: 0 })
})

test('another name has topics of its own', async () => {
  await using made = await honest()
  const run = await millrace(['audit', module, '--as', 'again'], { env: envOf(made) })
  expect(run.code).toBe(6)
  expect(run.stderr).toContain('millrace.again.state does not exist')
})

test('what is no duration is refused', async () => {
  expect(await millrace(['audit', module, '--wait', 'soon'])).toMatchObject({ code: 2 })
})

test('of many partitions only those with a fault are shown', () => {
  const none = {
    produced: 1,
    outputs: 1,
    dead: 0,
    dropped: 0,
    parked: 0,
    late: 0,
    lost: 0,
    double: 0,
    foreign: 0,
  }
  const partitions = Array.from({ length: 100 }, (_, partition) => ({
    ...none,
    partition,
    from: 0,
    to: 1,
    lost: partition === 70 ? 1 : 0,
  }))
  const text = auditText({
    ...none,
    ok: false,
    pipeline: 'p',
    output: null,
    range: { topic: 't', partitions: 100, offsets: 100 },
    lost: 1,
    mismatch: 13,
    order: 1,
    notProvable: ['this'],
    partitions,
    offending: {
      lost: [{ partition: 70, offsets: [0] }],
      double: [],
      foreign: [],
      mismatch: [
        { where: 'outputs', partition: 70, offset: 5 },
        { where: 'recount', partition: 70, offset: 6, expected: 'done', found: 'retry moody' },
        { where: 'insights', slot: 7, of: 'batches 3-5', expected: 3, found: 0 },
      ],
      order: ['o/1@7'],
    },
  })
  expect(text.split('\n')[1]).toMatch(/produced +done +dead/)
  expect(text.split('\n').slice(2)).toEqual([
    expect.stringMatching(/^70 /),
    expect.stringMatching(/^total /),
    '99 partitions without a fault are not shown',
    'lost: t/70 at 0',
    'mismatch: the output of 70/5 is no JSON object',
    'mismatch: the done record 70/6 comes out as retry moody when it runs again; its process step must be deterministic',
    'mismatch: batches 3-5 in the insights of slot 7: expected 3, found 0',
    'mismatch: and 10 more',
    'out of order: o/1@7',
    'not provable: this',
    'audit: 1 lost, 13 mismatched, 1 out of order (1 not provable)',
  ])
})
