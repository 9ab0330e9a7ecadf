/** Spans are made after the fact, with the ids that were drawn when the record passed: the SDK is handed them one by one. */
import { randomBytes } from 'node:crypto'
import type { IdGenerator } from '@opentelemetry/sdk-trace'
import type { TraceContext } from '../cluster/trace.ts'

export class GivenIds implements IdGenerator {
  #next: TraceContext | undefined

  /** The span that `make` starts gets these ids. */
  as<T>(context: TraceContext, make: () => T): T {
    this.#next = context
    try {
      return make()
    } finally {
      this.#next = undefined
    }
  }

  generateTraceId(): string {
    return this.#next?.traceId ?? randomBytes(16).toString('hex')
  }
  generateSpanId(): string {
    return this.#next?.spanId ?? randomBytes(8).toString('hex')
  }
}
