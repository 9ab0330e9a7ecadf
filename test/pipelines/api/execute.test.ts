import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { type AnyPipeline, type Context, definePipeline } from '../../../pipelines/api/define.ts'
import { eventTimeOf, prepare } from '../../../pipelines/api/execute.ts'
import { dead, drop, retry } from '../../../pipelines/api/outcome.ts'
import { inputAt, NOW, runner, runOne, writtenBy } from '../run-values.ts'

const topics = { input: 'in', output: 'out', deadLetters: 'dlq' }
const open = definePipeline({ name: 'open', topics, schema: Type.Object({}) })
const withProcess = (process: (record: object, ctx: Context<object, unknown>) => unknown): AnyPipeline =>
  ({ ...open, process }) as AnyPipeline
const codeOf = (result: object): unknown => ('code' in result ? result.code : undefined)

describe('process', () => {
  test('is synchronous while it is: no promise', async () => {
    const prepared = await prepare(withProcess((record) => record))
    expect(runOne(prepared, {})).toMatchObject({ outcome: 'done', json: '{}' })
  })

  test('may be asynchronous', async () => {
    const prepared = await prepare(withProcess(async (record) => ({ ...record, late: true })))
    const result = runOne(prepared, {})
    expect(result).toBeInstanceOf(Promise)
    expect(writtenBy(await result)).toEqual({ late: true })
  })

  test.each([
    ['retry', () => retry('lookup', 'timed out'), { outcome: 'retry', code: 'lookup', message: 'timed out' }],
    ['dead', () => dead('bad'), { outcome: 'dead', code: 'bad', message: '' }],
    ['drop', () => drop('dull'), { outcome: 'drop', code: 'dull' }],
    ['a promise of one', async () => drop('dull'), { outcome: 'drop', code: 'dull' }],
  ])('may end the record with %s', async (_, process, expected) => {
    expect(await (await runner(withProcess(process)))({})).toStrictEqual(expected)
  })

  test.each([
    [
      'throws',
      () => {
        throw new RangeError('secret value')
      },
      'RangeError',
    ],
    [
      'rejects',
      async () => {
        throw Object.assign(new Error('secret'), { code: 'ECONNREFUSED' })
      },
      'Error ECONNREFUSED',
    ],
    [
      'throws with a code that is free text',
      () => {
        throw Object.assign(new Error('s'), { code: 'user 5' })
      },
      'Error',
    ],
    [
      'throws no error',
      () => {
        throw 'secret'
      },
      'string',
    ],
  ])('that %s is a retry that names the class only', async (_, process, message) => {
    const result = await (await runner(withProcess(process)))({ a: 'secret' })
    expect(result).toEqual({ outcome: 'retry', code: 'process-threw', message })
  })

  test('that is ended by its time limit says so', async () => {
    const controller = new AbortController()
    const waits = withProcess(
      (_, ctx) =>
        new Promise((_resolve, reject) =>
          ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)),
        ),
    )
    const running = (await runner(waits))({}, inputAt(NOW, { signal: controller.signal }))
    controller.abort()
    expect(codeOf(await running)).toBe('process-timeout')
  })

  test.each([
    ['nothing', () => undefined],
    ['a list', () => []],
    ['a text', () => '{}'],
    ['what JSON cannot write', () => ({ big: 1n })],
    [
      'a circle',
      () => {
        const circle: Record<string, unknown> = {}
        circle.self = circle
        return circle
      },
    ],
    ['what turns into no object', () => ({ toJSON: () => 'text' })],
    [
      'endless nesting',
      () => {
        let deep: object = {}
        for (let i = 0; i < 1e5; i++) deep = { deep }
        return deep
      },
    ],
  ])('that returns %s is dead with bad-output', async (_, process) => {
    expect(codeOf(await (await runner(withProcess(process)))({}))).toBe('bad-output')
  })

  test('sees the whole context; headers are only read when asked for', async () => {
    let parsed = 0
    const input = {
      ...inputAt(NOW, { key: Buffer.from('k'), attempt: 3, timestamp: 5 }),
      get headers() {
        parsed++
        return [['h', null]] as const
      },
    }
    const asking = definePipeline({
      name: 'asking',
      topics,
      schema: Type.Object({ ask: Type.Boolean() }),
      options: Type.Object({ n: Type.Number() }),
      setup: async ({ n }) => ({ twice: n * 2 }),
      process: ({ ask }, { key, timestamp, origin, now, attempt, options, resources, headers, ...none }) => ({
        ask,
        key: String(key),
        timestamp,
        origin,
        now,
        attempt,
        n: options.n,
        twice: resources.twice,
        headers,
        none,
      }),
    })
    const run = await runner(asking, { n: 21 })
    expect(writtenBy(await run({ ask: true }, input))).toMatchObject({
      key: 'k',
      timestamp: 5,
      origin: { topic: 'in', partition: 0, offset: 0 },
      now: NOW,
      attempt: 3,
      n: 21,
      twice: 42,
      headers: [['h', null]],
    })
    expect(parsed).toBe(1)
    await (await runner(open))({}, input)
    expect(parsed).toBe(1)
  })

  test('codes and messages are bounded: they travel in headers', async () => {
    const result = await (await runner(withProcess(() => dead('c'.repeat(1e6), 'm'.repeat(1e6)))))({})
    expect(JSON.stringify(result).length).toBeLessThan(1000)
  })
})

describe('masks', () => {
  const masked: AnyPipeline = { ...open, masks: { secret: (text) => `#${text.length}` } }

  test.each([
    ['text', { secret: 'abc' }, { secret: '#3' }],
    ['number', { secret: 12345 }, { secret: '#5' }],
    ['object', { secret: { a: 1 } }, { secret: '#7' }],
    ['null stays', { secret: null }, { secret: null }],
    ['absent stays', {}, {}],
  ])('never let a value through: %s', async (_, value, expected) => {
    expect(writtenBy(await (await runner(masked))(value))).toEqual(expected)
  })

  test('one that throws ends the record before anything is written', async () => {
    const throwing: AnyPipeline = {
      ...open,
      masks: {
        a: () => {
          throw new TypeError('secret')
        },
      },
    }
    expect(await (await runner(throwing))({ a: 'x' })).toEqual({
      outcome: 'retry',
      code: 'mask-threw',
      message: 'TypeError',
    })
  })

  test('are applied to the value that is folded, too', async () => {
    const result = await (await runner(masked))({ secret: 'abc' })
    expect(result).toMatchObject({ value: { secret: '#3' } })
  })
})

describe('prepare', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('no database')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no database')
      },
    ],
  ])('a setup that %s is one clear error', async (_, setup) => {
    await expect(prepare({ ...open, setup })).rejects.toMatchObject({
      code: 'pipeline-load',
      message: 'open: schema or setup failed: no database',
    })
  })
})

describe('event time', () => {
  test('is the record’s timestamp by default', () => {
    expect(eventTimeOf(open, {}, 5)).toBe(5)
  })
  test.each([
    ['a text', () => '5'],
    ['nothing', () => undefined],
    [
      'an error',
      () => {
        throw new Error('no')
      },
    ],
  ])('is none where the pipeline gives %s', (_, eventTime) => {
    const untyped: object = { ...open, eventTime }
    expect(eventTimeOf(untyped as AnyPipeline, {}, 5)).toBeNaN()
  })
})
