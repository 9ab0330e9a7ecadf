import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Budget } from '../../workers/budget.ts'
import { Mailbox } from '../../workers/mailbox.ts'
import { chunk } from './support/batches.ts'
import { result } from './support/results.ts'

const WIDE = { records: 1e6, bytes: 1e9, ahead: 1000 }
const one = chunk(0, 0, 'text')

const finishAll = (mailbox: Mailbox): void => {
  for (let entry = mailbox.takeWaiting(); entry !== undefined; entry = mailbox.takeWaiting()) {
    entry.state = 'ready'
    entry.result = result()
  }
}

describe('the bytes that the shards of a worker hold together', () => {
  test('hold back a shard that has some, never one that has none', () => {
    const budget = new Budget(one.bytes.length * 2)
    const [busy, idle] = [new Mailbox({ ...WIDE, budget }), new Mailbox({ ...WIDE, budget })]
    busy.push(one)
    expect([busy.full, idle.full]).toEqual([false, false])
    busy.push(chunk(0, 1, 'text'))
    expect([busy.full, idle.full]).toEqual([true, false])
  })

  test('a commit of one makes room for the others', () => {
    const budget = new Budget(one.bytes.length * 2)
    const [first, second] = [new Mailbox({ ...WIDE, budget }), new Mailbox({ ...WIDE, budget })]
    first.push(one)
    second.push(one)
    expect(second.full).toBe(true)
    finishAll(first)
    first.remove(first.ready(1e9))
    expect(second.full).toBe(false)
  })

  test('are given back whole, however a mailbox is emptied', () => {
    const step = fc.constantFrom('push', 'finish', 'commit', 'drop', 'clear')
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1), step), { maxLength: 30 }), (steps) => {
        const budget = new Budget(1)
        const boxes = [new Mailbox({ ...WIDE, budget }), new Mailbox({ ...WIDE, budget })]
        for (const [which, what] of steps) {
          const mailbox = boxes[which]
          if (mailbox === undefined) continue
          if (what === 'push') mailbox.push(one)
          else if (what === 'finish') finishAll(mailbox)
          else if (what === 'commit') mailbox.remove(mailbox.ready(1e9))
          else if (what === 'drop') mailbox.dropWaiting()
          else mailbox.clear()
          expect(budget.spent).toBe(boxes.some((box) => box.bytes > 0))
        }
        for (const mailbox of boxes) mailbox.clear()
        expect(budget.spent).toBe(false)
      }),
    )
  })

  test('a committed chunk is released once, one that is thrown away is not', () => {
    const released: string[] = []
    const mailbox = new Mailbox(WIDE)
    mailbox.push({ ...one, release: () => released.push('committed') })
    finishAll(mailbox)
    mailbox.push({ ...chunk(0, 1, 'text'), release: () => released.push('thrown away') })
    mailbox.remove(mailbox.ready(1e9))
    mailbox.clear()
    expect(released).toEqual(['committed'])
  })
})
