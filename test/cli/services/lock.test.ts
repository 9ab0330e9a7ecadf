import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { withLock } from '../../../cli/services/lock.ts'
import { isAlive, markOf } from '../../../cli/services/state.ts'

const scratch = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

test('two starts under one name go one after the other', async () => {
  const folder = scratch()
  const seen: string[] = []
  const entered = Promise.withResolvers<void>()
  const first = Promise.withResolvers<void>()
  const running = withLock(folder, 5000, async () => {
    seen.push('first in')
    entered.resolve()
    await first.promise
    seen.push('first out')
  })
  await entered.promise
  const waiting = withLock(folder, 5000, async () => void seen.push('second'))
  first.resolve()
  await Promise.all([running, waiting])
  expect(seen).toEqual(['first in', 'first out', 'second'])
})

test('the lock of a dead process counts for nothing', async () => {
  const folder = scratch()
  writeFileSync(join(folder, 'start.lock'), JSON.stringify({ name: 'lock', pid: 2 ** 22 + 1, started: '1' }))
  expect(await withLock(folder, 5000, async () => 'in')).toBe('in')
})

test('the lock of a live process is waited for, then named', async () => {
  const folder = scratch()
  writeFileSync(join(folder, 'start.lock'), JSON.stringify(markOf('lock', process.pid)))
  await expect(withLock(folder, 100, async () => 'in')).rejects.toThrow('start.lock')
})

test('a failure gives the lock back', async () => {
  const folder = scratch()
  await expect(withLock(folder, 100, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await withLock(folder, 100, async () => 'in')).toBe('in')
})

test('a reused pid is not taken for the process that had it', () => {
  const mark = markOf('self', process.pid)
  expect(isAlive(mark)).toBe(true)
  expect(isAlive({ ...mark, started: `${mark.started}0` })).toBe(false)
})
