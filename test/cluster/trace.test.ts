import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { childOf, formatTraceparent, parseTraceparent, rootContext } from '../../cluster/trace.ts'

const trace = 'ab'.repeat(16)
const span = 'cd'.repeat(8)

describe('traceparent', () => {
  test('what is written is read back', () => {
    fc.assert(
      fc.property(fc.boolean(), (sampled) => {
        const root = rootContext(sampled)
        expect(parseTraceparent(formatTraceparent(root))).toEqual(root)
        const child = childOf(root)
        expect(child).toMatchObject({ traceId: root.traceId, sampled })
        expect(child.spanId).not.toBe(root.spanId)
      }),
    )
  })

  test('only the sampled bit of the flags counts', () => {
    expect(parseTraceparent(`00-${trace}-${span}-03`)?.sampled).toBe(true)
    expect(parseTraceparent(`00-${trace}-${span}-02`)?.sampled).toBe(false)
  })

  test.each([
    ['empty', ''],
    ['another version', `01-${trace}-${span}-01`],
    ['upper case', `00-${trace.toUpperCase()}-${span}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${span}-01`],
    ['a span id of zeros', `00-${trace}-${'0'.repeat(16)}-01`],
    ['too long', `00-${trace}-${span}-01-x`],
    ['too short', `00-${trace}-${span.slice(1)}-01`],
    ['a line of its own', `00-${trace}-${span}-01\n`],
    ['blanks around', ` 00-${trace}-${span}-01`],
  ])('%s is none', (_, text) => expect(parseTraceparent(text)).toBeUndefined())

  test('anything else is none, and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => parseTraceparent(text) === undefined))
  })

  test('ids do not repeat', () => {
    const ids = Array.from({ length: 5000 }, () => rootContext(true)).flatMap((one) => [
      one.traceId,
      one.spanId,
    ])
    expect(new Set(ids).size).toBe(ids.length)
  })
})
