/**
 * Sends letters back into the input, each once. States: closed -> open (every earlier sender is fenced, the marks are read behind
 * that, intents without an end are looked up in the input) -> chunks, one at a time; after an unclear answer it opens anew as the
 * same sender and finds out what became of the chunk.
 * Law: a letter without force is sent at most once, whoever sends, dies, or sends at the same time; no letter is called sent that
 * was not.
 */
import { MillraceError } from '../cluster/errors.ts'
import type { Opened } from '../cluster/kafka/ports.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { Letter } from './letter.ts'
import { readMarks, sentAgain } from './logs.ts'
import { type Action, actionKey, type Deed, type Mark, MarkBook, markKey, newMark } from './marks.ts'
import { type Guard, type Held, heldBack, nextChunk, type Outgoing } from './outgoing.ts'
import type { EntriesOf, Entry, Sent, Transport } from './transport.ts'

export interface ReplayerOptions {
  readonly transport: Transport
  readonly home: Topology
  readonly input: Topology
  readonly pipeline: string
  readonly inputTopic: string
  readonly marksTopic: string
  /** Of the dead-letter topic. */
  readonly topicId: string
  readonly action: Action
  readonly guard: Guard
  readonly now: () => number
}

export interface Taken {
  /** From the head of the queue: done with. */
  readonly taken: number
  /** Of these, the ones that were not sent for sure. */
  readonly held: readonly Held[]
}

type Failed = Exclude<Sent, { readonly result: 'committed' }>

/** A transaction of this size takes some ten milliseconds. */
const CHUNK = { records: 500, bytes: 512 * 1024 } as const
/** In a row, without any progress between them. */
const MOST_UNCLEAR = 5

export class Replayer {
  readonly #options: ReplayerOptions
  #action: Action
  #book: MarkBook
  #unclear = 0

  constructor(options: ReplayerOptions) {
    this.#options = options
    this.#action = options.action
    this.#book = new MarkBook(options.topicId)
  }

  get action(): Action {
    return this.#action
  }

  /** @throws MillraceError `fenced`, `kafka-auth`, `kafka-unreachable` */
  open(): Promise<void> {
    return this.#open('fence')
  }

  /** Why a letter stays, as the marks are: those of others since the last opening, and its own. */
  held(letter: Letter): Held | undefined {
    return heldBack(letter, this.#book.of(letter.place), this.#options.guard)
  }

  /**
   * One transaction's worth from the head of the queue; none where it has to be asked again.
   * @throws MillraceError `fenced`, `kafka-auth`, `kafka-unreachable`
   */
  async sendSome(queue: readonly Outgoing[], most: number = CHUNK.records): Promise<Taken> {
    const chunk = nextChunk(queue, { ...CHUNK, records: Math.min(most, CHUNK.records) })
    const entriesOf: EntriesOf = (state, from) => this.#entries(chunk, state, from)
    const answer = await this.#options.transport.send(chunk, entriesOf)
    if (answer.result === 'committed') {
      for (const { key, value } of entriesOf('done')) this.#book.note(key, JSON.stringify(value))
      this.#count(chunk.length)
      return { taken: chunk.length, held: [] }
    }
    await this.#recover(answer)
    if (answer.result !== 'refused') return this.#afterwards(chunk)
    if (chunk.length > 1) return this.sendSome(queue, Math.ceil(chunk.length / 2))
    return { taken: 1, held: ['refused'] }
  }

  /** What became of a chunk after an unclear answer stands in the marks now. */
  #afterwards(chunk: readonly Outgoing[]): Taken {
    const marks = chunk.map(({ letter }) => this.#book.of(letter.place))
    const open = marks.findIndex((mark) => mark?.action !== this.#action.id)
    const taken = marks.slice(0, open < 0 ? chunk.length : open)
    const unproven = taken.filter((mark) => mark?.state !== 'done')
    this.#count(taken.length - unproven.length)
    return { taken: taken.length, held: unproven.map(() => 'unproven') }
  }

  #count(sent: number): void {
    this.#action = { ...this.#action, sent: this.#action.sent + sent }
    if (sent > 0) this.#unclear = 0
  }

  /** Settled without being sent. */
  async park(letters: readonly Letter[]): Promise<void> {
    const value = this.#mark('park', 'done')
    for (let start = 0; start < letters.length; start += CHUNK.records) {
      const some = letters.slice(start, start + CHUNK.records)
      const parked = this.#action.parked + some.length
      await this.#write(
        some.map(({ place }) => ({ key: markKey(place), value })),
        { ...this.#action, parked },
      )
    }
  }

  /** The line that tells what was done. */
  end(selected: number): Promise<void> {
    return this.#write([], { ...this.#action, selected, ended: true })
  }

  /** What is written is absolute: once more harms nothing. */
  async #write(marks: readonly Entry[], action: Action): Promise<void> {
    for (;;) {
      const answer = await this.#options.transport.mark([...marks, line(action)])
      if (answer.result === 'committed') break
      await this.#recover(answer)
    }
    for (const { key, value } of marks) this.#book.note(key, JSON.stringify(value))
    this.#action = action
    this.#unclear = 0
  }

  #entries(
    chunk: readonly Outgoing[],
    state: Mark['state'],
    from: ReadonlyMap<number, number> | undefined,
  ): readonly Entry[] {
    const { inputTopic: topic } = this.#options
    const marks = chunk.map(({ letter, partition }) => {
      const at = from?.get(partition)
      const target = { topic, partition, ...(at !== undefined && { from: at }) }
      const again = this.#book.of(letter.place) !== undefined
      const mark = this.#mark(this.#action.deed, state, { target, ...(again && { again }) })
      return { key: markKey(letter.place), value: mark }
    })
    const sent = this.#action.sent + (state === 'done' ? chunk.length : 0)
    return [...marks, line({ ...this.#action, sent })]
  }

  #mark(deed: Deed, state: Mark['state'], more: Pick<Mark, 'target' | 'again'> = {}): Mark {
    const { topicId, now } = this.#options
    const { id, who } = this.#action
    return newMark({ state, deed, who, at: now(), action: id, topicId, ...more })
  }

  /** After anything but a commit. @throws where no other try can help */
  async #recover(answer: Failed): Promise<void> {
    if (answer.result === 'fenced') throw this.#fenced()
    if (answer.result === 'halted') throw refused(answer.detail)
    if (answer.result === 'unclear' && ++this.#unclear > MOST_UNCLEAR)
      throw new MillraceError('kafka-unreachable', `nothing can be sent: ${answer.reason}`)
    await this.#open('reopen')
  }

  async #open(how: 'fence' | 'reopen'): Promise<void> {
    for (;;) {
      const opened = await this.#options.transport.open(how)
      if (opened.result === 'open') break
      if (opened.result !== 'unclear' || ++this.#unclear > MOST_UNCLEAR) throw this.#notOpened(opened)
    }
    const { home, marksTopic, topicId } = this.#options
    this.#book = await readMarks(home, marksTopic, topicId, 'written')
    const known = await this.#lookUp(this.#book)
    if (known.length === 0) return
    const answer = await this.#options.transport.mark(known)
    if (answer.result !== 'committed') await this.#recover(answer)
  }

  #notOpened(opened: Exclude<Opened, { readonly result: 'open' }>): MillraceError {
    if (opened.result === 'fenced') return this.#fenced()
    if (opened.result === 'halted') return refused(opened.detail)
    return new MillraceError('kafka-unreachable', `a replay cannot begin: ${opened.reason}`)
  }

  #fenced(): MillraceError {
    const { sent, parked } = this.#action
    const done = parked === 0 ? `${sent} sent` : `${sent} sent, ${parked} parked`
    const { pipeline } = this.#options
    return new MillraceError('fenced', `another replay of ${pipeline} has begun, this one stops (${done})`)
  }

  /** Intents without an end: what the input holds was sent; what it does not hold was not, where it holds all since then. */
  async #lookUp(book: MarkBook): Promise<readonly Entry[]> {
    const { input, inputTopic: topic } = this.#options
    const all: Entry[] = []
    const byPartition = Map.groupBy(book.sending(), ([, { target }]) => target?.partition ?? 0)
    for (const [partition, marks] of byPartition) {
      const offset = Math.min(...marks.map(([, { target }]) => target?.from ?? 0))
      const places = new Set(marks.map(([key]) => key))
      const { found, start } = await sentAgain(input, { topic, partition, offset }, places)
      const known = marks.flatMap(([key, mark]): Entry[] => {
        if (found.has(key) || mark.again) return [{ key, value: { ...mark, state: 'done' } }]
        return (mark.target?.from ?? 0) >= start ? [{ key, value: null }] : []
      })
      for (const { key, value } of known) book.note(key, value && JSON.stringify(value))
      all.push(...known)
    }
    return all
  }
}

const line = (action: Action): Entry => ({ key: actionKey(action.id), value: action })

const refused = (detail: string): MillraceError =>
  new MillraceError('kafka-auth', `Kafka refuses the replay: ${detail}`, {
    remedy:
      'grant Write on the input, on millrace.<pipeline>.replays and on transactional ids millrace.<pipeline>.*',
  })
