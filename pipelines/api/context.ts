/** What `process` is told. Reads through to the input, so that nothing is parsed or copied that nobody asks for. */
import type { Context, Input, JsonObject, RecordHeaders } from './define.ts'

export class RecordContext implements Context<JsonObject, unknown> {
  readonly options: JsonObject
  readonly resources: unknown
  readonly #input: Input
  constructor(input: Input, options: JsonObject, resources: unknown) {
    this.#input = input
    this.options = options
    this.resources = resources
  }
  get key(): Uint8Array | null {
    return this.#input.key
  }
  get headers(): RecordHeaders {
    return this.#input.headers
  }
  get timestamp(): number {
    return this.#input.timestamp
  }
  get origin(): Context<JsonObject, unknown>['origin'] {
    return this.#input.origin
  }
  get now(): number {
    return this.#input.now
  }
  get attempt(): number {
    return this.#input.attempt
  }
  get signal(): AbortSignal {
    return this.#input.signal
  }
}
