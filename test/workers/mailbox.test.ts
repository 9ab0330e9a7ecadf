import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Entry, Mailbox } from '../../workers/mailbox.ts'
import { chunk, invisible } from './support/batches.ts'
import { result } from './support/results.ts'

const WIDE = { records: 1e6, bytes: 1e9, ahead: 1000 }
const offsets = (entries: readonly Entry[]) =>
  entries.map(({ chunk: { partition, from } }) => `${partition}/${from}`)
const takeAll = (mailbox: Mailbox): Entry[] => {
  const taken: Entry[] = []
  for (let entry = mailbox.takeWaiting(); entry !== undefined; entry = mailbox.takeWaiting())
    taken.push(entry)
  return taken
}
const finish = (entry: Entry) => {
  entry.state = 'ready'
  entry.result = result()
}

type Step =
  | { readonly do: 'push' | 'idle'; readonly partition: number; readonly records: number }
  | { readonly do: 'finish' | 'again'; readonly which: number }
  | { readonly do: 'take' }
  | { readonly do: 'commit' }
  | { readonly do: 'drop' }
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('push' as const, 'idle' as const),
        partition: fc.nat(2),
        records: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 3, arbitrary: fc.constantFrom<Step>({ do: 'take' }, { do: 'commit' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'drop' }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom('finish' as const, 'again' as const), which: fc.nat(10) }),
    },
  ),
  { maxLength: 60 },
)

/** Drives a mailbox as a shard does, and remembers where each partition's commits stand. */
class Driver {
  readonly mailbox = new Mailbox({ ...WIDE, ahead: 3 })
  readonly committed = new Map<number, number>()
  readonly #read = new Map<number, number>()
  #begun: Entry[] = []

  run(step: Step): void {
    if ('partition' in step) this.#push(step.partition, step.records, step.do)
    else if ('which' in step) this.#turn(step.do, step.which)
    else if (step.do === 'take') this.#begun.push(...takeAll(this.mailbox))
    else if (step.do === 'drop') this.#drop()
    else this.#commit()
  }
  #push(partition: number, records: number, how: 'push' | 'idle'): void {
    const from = this.#read.get(partition) ?? 0
    const next = from + records
    this.#read.set(partition, next)
    const values = Array.from({ length: records }, (_, i) => ({ i }))
    this.mailbox.push(how === 'push' ? chunk(partition, from, ...values) : invisible(partition, from, next))
  }
  #turn(how: 'finish' | 'again', which: number): void {
    const entry = this.#begun[which % this.#begun.length]
    if (entry === undefined) return
    if (how === 'finish') finish(entry)
    else if (entry.state === 'ready') {
      entry.state = 'waiting'
      this.#begun = this.#begun.filter((one) => one !== entry)
    }
  }
  #commit(): void {
    const ready = this.mailbox.ready(Number.POSITIVE_INFINITY)
    for (const { chunk: one } of ready) {
      expect(one.from).toBe(this.committed.get(one.partition) ?? 0)
      this.committed.set(one.partition, one.next)
    }
    this.mailbox.remove(ready)
    this.#begun = this.#begun.filter((entry) => !ready.includes(entry))
  }
  /** After a release's drop, reading would begin again behind what is left. */
  #drop(): void {
    this.mailbox.dropWaiting()
    expect(this.mailbox.takeWaiting()).toBeUndefined()
    for (const entry of this.#begun) finish(entry)
    this.#commit()
    expect(this.mailbox.empty).toBe(true)
    expect([this.mailbox.records, this.mailbox.bytes]).toEqual([0, 0])
    this.#begun = []
    for (const partition of this.#read.keys()) this.#read.set(partition, this.committed.get(partition) ?? 0)
  }
}

describe('the mailbox', () => {
  test('whatever finishes when, each partition is committed in order and without a gap', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const driver = new Driver()
        for (const step of all) driver.run(step)
        driver.run({ do: 'drop' })
      }),
    )
  })

  test('is full at its bound of records, and open again when they are gone', () => {
    const mailbox = new Mailbox({ ...WIDE, records: 3 })
    mailbox.push(chunk(0, 0, 'a', 'b'))
    expect(mailbox.full).toBe(false)
    mailbox.push(chunk(0, 2, 'c'))
    expect(mailbox.full).toBe(true)
    const [first] = takeAll(mailbox)
    if (first) mailbox.remove([first])
    expect([mailbox.full, mailbox.records]).toEqual([false, 1])
  })

  test('is full at its bound of bytes', () => {
    const one = chunk(0, 0, 'a')
    const mailbox = new Mailbox({ ...WIDE, bytes: one.bytes.length + 1 })
    mailbox.push(one)
    expect(mailbox.full).toBe(false)
    mailbox.push(chunk(0, 1, 'b'))
    expect(mailbox.full).toBe(true)
    mailbox.clear()
    expect([mailbox.full, mailbox.bytes, mailbox.empty]).toEqual([false, 0, true])
  })

  test('only so many batches run or wait for their commit; invisible ones do not count', () => {
    const mailbox = new Mailbox({ ...WIDE, ahead: 2 })
    mailbox.push(invisible(0, 0, 1))
    for (const from of [1, 2, 3, 4]) mailbox.push(chunk(0, from, 'x'))
    const [first, second, ...more] = takeAll(mailbox)
    expect([first?.chunk.from, second?.chunk.from, more.length]).toEqual([1, 2, 0])
    if (first) finish(first)
    expect(takeAll(mailbox)).toEqual([])
    if (first) mailbox.remove([first])
    expect(offsets(takeAll(mailbox))).toEqual(['0/3'])
  })

  test('a batch that is not finished holds back its own partition only', () => {
    const mailbox = new Mailbox(WIDE)
    for (const [partition, from] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ] as const)
      mailbox.push(chunk(partition, from, 'x'))
    const [, second, third, fourth] = takeAll(mailbox)
    for (const entry of [second, third, fourth]) if (entry) finish(entry)
    expect(offsets(mailbox.ready(1e9))).toEqual(['1/0', '1/1'])
  })

  test('a commit takes up to its byte limit, and at least one batch', () => {
    const mailbox = new Mailbox(WIDE)
    for (const from of [0, 1, 2]) mailbox.push(chunk(0, from, 'x'))
    for (const entry of takeAll(mailbox)) finish(entry)
    const size = chunk(0, 0, 'x').bytes.length
    expect(offsets(mailbox.ready(size * 2))).toEqual(['0/0', '0/1'])
    expect(offsets(mailbox.ready(1))).toEqual(['0/0'])
  })

  test('a batch that must run again goes before those behind it', () => {
    const mailbox = new Mailbox({ ...WIDE, ahead: 2 })
    for (const from of [0, 1, 2]) mailbox.push(chunk(0, from, 'x'))
    const [first] = takeAll(mailbox)
    if (first) first.state = 'waiting'
    expect(offsets(takeAll(mailbox))).toEqual(['0/0'])
  })

  test('a release keeps what has begun, but nothing behind what has not', () => {
    const mailbox = new Mailbox({ ...WIDE, ahead: 3 })
    for (const [partition, from] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ] as const)
      mailbox.push(chunk(partition, from, 'x'))
    mailbox.push(invisible(1, 2, 3))
    mailbox.push(invisible(0, 2, 3))
    for (const entry of takeAll(mailbox)) finish(entry)
    mailbox.dropWaiting()
    expect(offsets(mailbox.ready(1e9))).toEqual(['0/0', '1/0', '0/1', '0/2'])
    expect(mailbox.records).toBe(3)
  })
})
