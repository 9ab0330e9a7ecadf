/** Follows the topics in which the fate of a pipeline's records stands; a topic that another save names is taken in. */
import type { Names } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import { type StartPoint, type TailedRecord, tail } from '../tail.ts'
import { deadLine, doneLine, droppedLines, insightLine, type OutcomeLine } from './outcome-text.ts'

export interface FollowOptions {
  /** On services of one's own everything there is to see is of this run. */
  readonly from: StartPoint
  readonly show: (line: OutcomeLine) => void
  readonly failed: (error: unknown) => void
}

export class Followed implements AsyncDisposable {
  readonly #settings: Settings
  readonly #options: FollowOptions
  readonly #end = new AbortController()
  readonly #topics = new Map<string, Promise<void>>()

  constructor(settings: Settings, options: FollowOptions) {
    this.#settings = settings
    this.#options = options
  }

  follow(names: Names): void {
    const one = (read: (record: TailedRecord) => OutcomeLine) => (record: TailedRecord) => [read(record)]
    if (names.output !== undefined) this.#open(names.output, one(doneLine))
    if (names.insights !== undefined) this.#open(names.insights, one(insightLine))
    this.#open(names.deadLetters, one(deadLine))
    this.#open(names.drops, droppedLines)
  }

  #open(topic: string, read: (record: TailedRecord) => readonly OutcomeLine[]): void {
    if (this.#topics.has(topic)) return
    const { from, show, failed } = this.#options
    const options = { from, most: Number.POSITIVE_INFINITY, follow: true, signal: this.#end.signal }
    const visit = (record: TailedRecord) => {
      for (const line of read(record)) show(line)
    }
    this.#topics.set(topic, tail(this.#settings, { topic, which: 'home' }, options, visit).catch(failed))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await Promise.all(this.#topics.values())
  }
}
