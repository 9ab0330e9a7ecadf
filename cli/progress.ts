/** A line that shows how far a command is: redrawn in place on a terminal, a plain line now and then elsewhere. Goes to stderr. */
import { count } from './output.ts'

export interface Progress {
  readonly done: number
  /** Infinity where there is no end. */
  readonly total: number
  /** Since the start, ms. */
  readonly elapsed: number
}

const WIDTH = 24

/** `[######------] 50% 1,000 of 2,000, 500/s, 2 s left`. */
export const progressLine = ({ done, total, elapsed }: Progress): string => {
  const perSecond = elapsed > 0 ? (done / elapsed) * 1000 : 0
  const speed = `${count(Math.round(perSecond))}/s`
  if (!Number.isFinite(total)) return `${count(done)}, ${speed}`
  const part = total === 0 ? 1 : Math.min(1, done / total)
  const bar = '#'.repeat(Math.round(part * WIDTH)).padEnd(WIDTH, '-')
  const left = perSecond > 0 ? `, ${Math.ceil((total - done) / perSecond)} s left` : ''
  return `[${bar}] ${Math.floor(part * 100)}% ${count(done)} of ${count(total)}, ${speed}${left}`
}

const REDRAW = 100
const PLAIN = 5000

export class ProgressPrinter {
  readonly #stream: NodeJS.WriteStream
  readonly #what: string
  #last = performance.now()
  #drawn = false
  constructor(what: string, stream: NodeJS.WriteStream = process.stderr) {
    this.#what = what
    this.#stream = stream
  }
  show(progress: Progress): void {
    const now = performance.now()
    if (now - this.#last < (this.#stream.isTTY ? REDRAW : PLAIN)) return
    this.#last = now
    const line = `${this.#what} ${progressLine(progress)}`
    this.#stream.write(
      this.#stream.isTTY ? `\r\x1b[K${line.slice(0, this.#stream.columns - 1)}` : `${line}\n`,
    )
    this.#drawn = true
  }
  /** Takes the redrawn line away, so that what follows starts on a clean one. */
  clear(): void {
    if (this.#drawn && this.#stream.isTTY) this.#stream.write('\r\x1b[K')
  }
}
