import { describe, expect, test } from 'vitest'
import { decide, isOverdue } from '../../../workers/retries/reconcile.ts'

const POLICY = { attempts: 4 }
const GRACE = 100
const DUE = 1000
const before = { now: DUE + GRACE, grace: GRACE }
const after = { now: DUE + GRACE + 1, grace: GRACE }
const parked = (attempts = 1) => ({ due: DUE, attempts })

test('overdue: later than due and grace together', () => {
  expect([isOverdue(parked(), before), isOverdue(parked(), after)]).toEqual([false, true])
})

describe('a parked record and its job', () => {
  test.each(['missing', 'completed', 'failed', 'queued'] as const)('%s, not overdue: left alone', (job) => {
    expect(decide(parked(), job, POLICY, before)).toBe('leave')
  })

  test('a job that waits or runs is left alone, however long it takes', () => {
    expect(decide(parked(), 'queued', POLICY, after)).toBe('leave')
    expect(decide(parked(4), 'queued', POLICY, after, true)).toBe('leave')
  })

  test('missing or completed, overdue: queued again, no run is spent', () => {
    expect(decide(parked(3), 'missing', POLICY, after)).toBe('requeue')
    expect(decide(parked(3), 'completed', POLICY, after)).toBe('requeue')
  })

  test('failed, overdue: its run is spent, and the last one ends it', () => {
    expect(decide(parked(1), 'failed', POLICY, after)).toBe('count')
    expect(decide(parked(2), 'failed', POLICY, after)).toBe('count')
    expect(decide(parked(3), 'failed', POLICY, after)).toBe('end')
  })

  test('no run is left, as the settings were lowered or its last word was lost: ended', () => {
    expect(decide(parked(4), 'missing', POLICY, after)).toBe('end')
    expect(decide(parked(7), 'completed', POLICY, before, true)).toBe('end')
    expect(decide(parked(4), 'failed', POLICY, before)).toBe('leave')
  })

  test('after a takeover a missing job does not wait until it is overdue', () => {
    expect(decide(parked(), 'missing', POLICY, before, true)).toBe('requeue')
    expect(decide(parked(), 'completed', POLICY, before, true)).toBe('leave')
  })
})
