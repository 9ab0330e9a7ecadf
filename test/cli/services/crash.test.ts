/** However the starting process dies, what it started dies with it; a later start takes up the data. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ensureServices, stopServices } from '../../../cli/services/services.ts'
import { isAlive, type ProcessMark } from '../../../cli/services/state.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { borrowedDataDir } from '../../support/services.ts'

const settingsFor = (dataDir: string) => readSettings({ MILLRACE_DATA_DIR: dataDir })
const options = { name: 'local', native: true, log: () => {} }

interface Elsewhere {
  readonly child: ChildProcess
  readonly marks: readonly ProcessMark[]
  readonly watchdog: number
}

const startElsewhere = async (dataDir: string): Promise<Elsewhere> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'starter.ts')], {
    env: { ...process.env, MILLRACE_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line]: string[] = await once(createInterface({ input: child.stdout }), 'line')
  const said = JSON.parse(line ?? '') as { processes: readonly ProcessMark[]; watchdog: number }
  return { child, marks: said.processes, watchdog: said.watchdog }
}

/** Polls: a process that is no child of ours has no event for us. */
const untilGone = async (marks: readonly ProcessMark[]): Promise<void> => {
  const deadline = Date.now() + 15_000
  while (marks.some(isAlive) && Date.now() < deadline) await delay(20)
  expect(marks.filter(isAlive)).toEqual([])
}

test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
  'after %s nothing stays behind',
  async (signal) => {
    await using data = await borrowedDataDir()
    const { child, marks } = await startElsewhere(data.path)
    expect(marks.filter(isAlive)).toHaveLength(2)
    child.kill(signal)
    await once(child, 'exit')
    await untilGone(marks)
  },
  60_000,
)

test('where even the watchdog died, the next start ends what is left and takes up its data', async () => {
  await using data = await borrowedDataDir()
  const { child, marks, watchdog } = await startElsewhere(data.path)
  process.kill(watchdog, 'SIGKILL')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(marks.filter(isAlive)).toHaveLength(2)
  const services = await ensureServices(settingsFor(data.path), options)
  expect(marks.filter(isAlive)).toEqual([])
  expect(services).toMatchObject({ kind: 'native', found: false })
  await services.stop()
}, 60_000)

test('what a live process started is found by others and not theirs to stop', async () => {
  await using data = await borrowedDataDir()
  const { child, marks } = await startElsewhere(data.path)
  const services = await ensureServices(settingsFor(data.path), options)
  expect(services).toMatchObject({ kind: 'native', found: true, processes: marks })
  await services.stop()
  await expect(stopServices(settingsFor(data.path), { name: 'local' })).rejects.toThrow(String(child.pid))
  expect(marks.filter(isAlive)).toHaveLength(2)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await untilGone(marks)
}, 60_000)
