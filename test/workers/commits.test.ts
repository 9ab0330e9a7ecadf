import { beforeEach, describe, expect, test } from 'vitest'
import type { Part } from '../../cluster/kafka/ports.ts'
import { tumbling } from '../../pipelines/api/aggregates.ts'
import { type Commit, Commits } from '../../workers/commits.ts'
import { firstPosition, restore } from '../../workers/ledger.ts'
import { type Entry, Mailbox } from '../../workers/mailbox.ts'
import { Judge } from '../../workers/retries/judge.ts'
import { Returns } from '../../workers/retries/returns.ts'
import type { TaskResult } from '../../workers/task.ts'
import { chunk, invisible } from './support/batches.ts'
import { folded, result } from './support/results.ts'
import { slotContext } from './support/slot-context.ts'

const INTERVAL = 20
const aggregates = { short: tumbling(10, 20).count() }
const context = slotContext({ aggregates, settings: { commitInterval: INTERVAL, commitBytes: 1000 } })

const noReturns = () => new Returns({ bytes: 1e6, ahead: 1 }, new Judge())

let mailbox: Mailbox
let commits: Commits
beforeEach(() => {
  mailbox = new Mailbox({ records: 1e6, bytes: 1e9, ahead: 100 })
  commits = new Commits(context, mailbox, noReturns())
  commits.adopt(restore({}, [{ key: 'position/0', value: firstPosition(0, 'id') }]), new Map())
})

const begun = (): Entry => {
  const entry = mailbox.takeWaiting()
  if (entry === undefined) throw new Error('nothing waits')
  return entry
}
const finish = (entry: Entry, value: TaskResult = result()) => {
  entry.state = 'ready'
  entry.result = value
}
const read = (from: number, value?: TaskResult): Entry => {
  mailbox.push(chunk(0, from, `value of ${from}`))
  const entry = begun()
  finish(entry, value)
  return entry
}
const begin = (now = 0): Commit => {
  const found = commits.begin(now)
  if (!('commit' in found)) throw new Error('outdated or broken')
  return found.commit
}
/** As if each part had begun at 100, 200, ... */
const bases = (parts: readonly Part[]) => parts.map((_, i) => 100 * (i + 1))
const commit = () => {
  const open = begin()
  commits.apply(open, bases(open.content.parts), 0)
  return open
}

describe('when a transaction begins', () => {
  test('nothing ready: never; all in hand ready: now', () => {
    expect(commits.due(0, false)).toBeUndefined()
    read(0)
    expect(commits.due(0, false)).toBe(0)
  })

  test('it waits for what is under way, but only so long', () => {
    read(0)
    mailbox.push(chunk(0, 1, 'x'))
    begun()
    expect(commits.due(1000, false)).toBe(INTERVAL)
    expect(commits.due(1000 + INTERVAL - 1, false)).toBe(1)
    expect(commits.due(1000 + INTERVAL, false)).toBe(0)
  })

  test('it waits no longer where its bytes are full, nor while draining', () => {
    read(0)
    mailbox.push(chunk(0, 1, 'x'))
    begun()
    expect(commits.due(0, false)).toBe(INTERVAL)
    expect(commits.due(0, true)).toBe(0)
    const wide = new Mailbox({ records: 1e6, bytes: 1e9, ahead: 100 })
    const full = new Commits(context, wide, noReturns())
    wide.push(chunk(0, 0, 'x'.repeat(1000)))
    wide.push(chunk(0, 1, 'x'))
    const [entry] = [wide.takeWaiting(), wide.takeWaiting()]
    if (entry) finish(entry)
    expect(full.due(0, false)).toBe(0)
  })

  test('positions that passed only invisible batches are committed once a second', () => {
    mailbox.push(invisible(0, 0, 3))
    expect(commits.due(10_000, false)).toBe(0)
    const open = begin(10_000)
    commits.apply(open, bases(open.content.parts), 10_000)
    mailbox.push(invisible(0, 3, 5))
    expect(commits.due(10_400, false)).toBe(600)
    expect(commits.due(10_400, true)).toBe(0)
    mailbox.push(invisible(0, 5, 6))
    expect(commits.due(11_000, false)).toBe(0)
    expect(begin(11_000).entries).toHaveLength(2)
  })

  test('invisible batches go along with the next records', () => {
    mailbox.push(invisible(0, 0, 3))
    read(3)
    expect(commits.due(1, false)).toBe(0)
    expect(begin().entries).toHaveLength(2)
  })

  test('one at a time', () => {
    read(0)
    begin()
    read(1)
    expect(commits.busy).toBe(true)
    expect(commits.due(1e9, true)).toBeUndefined()
  })
})

describe('what a transaction leaves behind', () => {
  test('committed: state and positions advance, the entries are gone', () => {
    read(0)
    read(1)
    commit()
    expect(commits.state.positions.get(0)?.next).toBe(2)
    expect([mailbox.empty, commits.busy]).toEqual([true, false])
  })

  test('not committed: nothing has changed, and the same entries are ready again', () => {
    const entry = read(0)
    const before = commits.state
    begin()
    commits.cancel()
    expect(commits.state).toBe(before)
    expect(begin().entries).toEqual([entry])
  })

  test('the state offset of each window follows its newest record, and goes with the window', () => {
    const key = 'window/short/10/0'
    read(0, folded(5, { aggregate: 'short', start: 0, value: 1 }))
    const first = commit()
    expect(first.content.parts.map(({ topic }) => topic)).toEqual([context.names.state])
    expect(commits.offsets.get(key)).toBe(101)
    read(1, folded(6, { aggregate: 'short', start: 0, value: 1 }))
    const second = begin()
    commits.apply(second, [700], 0)
    expect(commits.offsets.get(key)).toBe(701)
    read(2, folded(31))
    expect(commit().advance.changed).toContain(key)
    expect(commits.offsets.has(key)).toBe(false)
  })

  test('entries whose windows have closed meanwhile are handed back, and no transaction is open', () => {
    read(0, folded(100))
    commit()
    const late = read(1, folded(5, { aggregate: 'short', start: 0, value: 1 }))
    const fine = read(2, folded(99, { aggregate: 'short', start: 90, value: 1 }))
    expect(commits.begin(0)).toEqual({ outdated: [late] })
    expect(commits.busy).toBe(false)
    finish(late, folded(-1))
    expect(begin().entries).toEqual([late, fine])
  })

  test('after a takeover a transaction that was under way belongs to the past', () => {
    read(0)
    begin()
    commits.adopt(restore({}, [{ key: 'position/0', value: firstPosition(7, 'id') }]), new Map([['k', 1]]))
    expect([commits.busy, commits.state.positions.get(0)?.next, commits.offsets.get('k')]).toEqual([
      false,
      7,
      1,
    ])
  })
})
