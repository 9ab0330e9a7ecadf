/** Prints what became of the records, so many lines a second: of the rest it says how many. */
import { count, styled } from '../output.ts'
import { type OutcomeLine, type Shown, shown } from './outcome-text.ts'

const A_SECOND = 1000
const LINES_A_SECOND = 100

export class OutcomePrinter implements Disposable {
  readonly #counts = new Map<Shown, number>()
  readonly #write: (line: string) => void
  #printed = 0
  #unprinted = 0
  #timer: NodeJS.Timeout | undefined

  constructor(write: (line: string) => void) {
    this.#write = write
  }

  show({ outcome, text }: OutcomeLine): void {
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1)
    this.#timer ??= setTimeout(() => this.#flush(), A_SECOND)
    if (this.#printed < LINES_A_SECOND) {
      this.#printed++
      this.#write(text)
    } else this.#unprinted++
  }

  #flush(): void {
    if (this.#unprinted > 0) this.#write(styled('dim', `... and ${count(this.#unprinted)} more`))
    this.#printed = 0
    this.#unprinted = 0
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** `2 done, 1 dead`. */
  summary(): string {
    const parts = shown.flatMap((outcome) => {
      const number = this.#counts.get(outcome) ?? 0
      return number === 0 ? [] : [`${count(number)} ${outcome}`]
    })
    return parts.length === 0 ? 'no record came' : parts.join(', ')
  }

  [Symbol.dispose](): void {
    this.#flush()
  }
}
