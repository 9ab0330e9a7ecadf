import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { afterEnd, type Ended, type History, type RestartRules } from '../../workers/restarts.ts'
import { type Supervisor, startSupervisor } from '../../workers/supervisor.ts'

const rules: RestartRules = { budget: { restarts: 3, windowMs: 60_000 }, backoff: { firstMs: 1, maxMs: 5 } }

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
/** Fails by the test's own timeout. */
const untilGone = async (pid: number) => {
  while (isAlive(pid)) await wait(10)
}

let running: Supervisor | undefined
afterEach(async () => {
  void running?.stop()
  await running?.stop()
})

/** Resolves `ready(n)` when n children in all have become ready. */
const supervise = (task: string, processes = 1, graceMs = 5000, silenceMs = 60_000) => {
  const pids: number[] = []
  const reasons: string[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  running = startSupervisor({
    entry: new URL('./fixtures/child.ts', import.meta.url),
    processes,
    graceMs,
    silenceMs,
    rules,
    env: { ...process.env, CHILD_TASK: task },
    onReady: (_, pid) => {
      pids.push(pid)
      for (const one of waiting) if (pids.length >= one.count) one.resolve()
    },
    onRestart: (_, reason) => reasons.push(reason),
  })
  const ready = (count: number) =>
    new Promise<void>((resolve) => (pids.length >= count ? resolve() : waiting.push({ count, resolve })))
  return { supervisor: running, pids, reasons, ready }
}

describe('a supervisor', () => {
  test('starts its processes, and ends them all in good order', async () => {
    const { supervisor, pids, ready } = supervise('serve', 2)
    await ready(2)
    expect(new Set(supervisor.pids())).toEqual(new Set(pids))
    await supervisor.stop()
    await supervisor.stopped
    expect(pids.filter(isAlive)).toEqual([])
    expect(supervisor.restarts()).toBe(0)
  })

  test('starts a killed process again, the other one stays', async () => {
    const { supervisor, pids, reasons, ready } = supervise('serve', 2)
    await ready(2)
    const [killed = 0, other = 0] = pids
    process.kill(killed, 'SIGKILL')
    await ready(3)
    expect(reasons).toEqual(['SIGKILL'])
    expect(supervisor.pids()).toContain(other)
    expect(supervisor.pids()).not.toContain(killed)
  })

  test('kills a process whose loop stands still, and starts it again', async () => {
    const { reasons, ready } = supervise('hang', 1, 5000, 2000)
    await ready(2)
    expect(reasons).toEqual(['SIGKILL: its loop stood still for 2 s'])
  })

  test('one that turns its loop is left alone, however little it says', async () => {
    const { supervisor, pids, ready } = supervise('serve', 1, 5000, 2000)
    await ready(1)
    // Three times what would be too long for one that is silent.
    await wait(6000)
    expect(supervisor.pids()).toEqual(pids)
  })

  test('gives up when the budget is spent, with the last reason, and leaves no child', async () => {
    const { supervisor, pids } = supervise('crash')
    await expect(supervisor.stopped).rejects.toMatchObject({
      code: 'restart-budget',
      message: expect.stringContaining('exit code 1'),
    })
    expect(supervisor.restarts()).toBe(3)
    expect(pids).toHaveLength(4)
    expect(pids.filter(isAlive)).toEqual([])
  })

  test("a child's own refusal at the first start is final, and the others are stopped", async () => {
    const { supervisor } = supervise('refuse', 2)
    await expect(supervisor.stopped).rejects.toMatchObject({
      code: 'pipeline-load',
      message: 'no such pipeline',
    })
    expect(supervisor.restarts()).toBe(0)
    expect(supervisor.pids()).toEqual([])
  })

  test('services that are away never spend the budget; what a child asked to keep reaches its successors', async () => {
    const { supervisor, reasons, pids } = supervise('away')
    while (reasons.length < rules.budget.restarts + 3) await wait(10)
    expect(new Set(reasons)).toEqual(new Set(['exit code 5: Redis is away']))
    expect(pids, 'only a child to which nothing was kept becomes ready').toHaveLength(1)
    await supervisor.stop()
    await supervisor.stopped
  })

  test('a child that does not end within the grace period is killed', async () => {
    const { supervisor, pids, ready } = supervise('stubborn', 1, 50)
    await ready(1)
    await supervisor.stop()
    expect(pids.filter(isAlive)).toEqual([])
  })

  test('a second stop kills at once', async () => {
    const { supervisor, pids, ready } = supervise('stubborn', 1, 60_000)
    await ready(1)
    void supervisor.stop()
    await supervisor.stop()
    expect(pids.filter(isAlive)).toEqual([])
  })

  test('a supervisor that is killed leaves no orphan', async () => {
    const parent = spawn(
      process.execPath,
      [fileURLToPath(new URL('./fixtures/parent.ts', import.meta.url))],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, CHILD_TASK: 'serve' } },
    )
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await untilGone(pid)
  })
})

describe('after a child has ended', () => {
  const ended = (over: Partial<Ended>): Ended => ({ exitCode: 1, signal: null, said: undefined, ...over })
  const fresh: History = { everReady: false, spent: [], inVain: 0 }
  const judge = (over: Partial<Ended>, history: History, now = 0) =>
    afterEnd(ended(over), history, rules, now, 0.5)

  test('before the first success an operator error ends the supervisor, whether said or by exit code', () => {
    expect(judge({ exitCode: 5 }, fresh)).toMatchObject({ verdict: 'give-up', code: 'redis-unreachable' })
    expect(judge({ said: { code: 'topic-missing', detail: 'no topic x' } }, fresh)).toMatchObject({
      verdict: 'give-up',
      code: 'topic-missing',
      detail: 'no topic x',
    })
  })

  test('a fault, a signal or an unknown exit code is worth a restart', () => {
    for (const over of [
      { exitCode: 70 },
      { exitCode: 1 },
      { exitCode: null, signal: 'SIGKILL' },
      { exitCode: 99 },
    ])
      expect(judge(over, fresh).verdict).toBe('restart')
  })

  test('unreachable services never spend the budget after a first success, however long they are away', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 50 }), (gaps) => {
        let history: History = { ...fresh, everReady: true }
        let now = 0
        for (const gap of gaps) {
          now += gap
          const verdict = judge({ exitCode: 4 }, history, now)
          if (verdict.verdict === 'give-up') throw new Error('gave up')
          history = verdict.history
        }
        expect(history.spent).toEqual([])
      }),
    )
  })
})
