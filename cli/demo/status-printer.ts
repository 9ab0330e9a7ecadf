/** The live line of a demo: redrawn on a terminal, a plain line now and then elsewhere. On stderr, so that stdout stays data. */
const PLAIN_MS = 2000

export class StatusPrinter {
  readonly #stream: NodeJS.WriteStream
  #last = Number.NEGATIVE_INFINITY
  #drawn = false

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
  }

  show(line: string): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[K${line.slice(0, this.#stream.columns - 1)}`)
      this.#drawn = true
      return
    }
    const now = performance.now()
    if (now - this.#last < PLAIN_MS) return
    this.#last = now
    this.#stream.write(`${line}\n`)
  }

  /** What follows starts on a clean line. */
  clear(): void {
    if (this.#drawn) this.#stream.write('\r\x1b[K')
    this.#drawn = false
  }
}
