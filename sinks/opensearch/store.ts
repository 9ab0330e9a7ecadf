/**
 * Writes documents into an index by bulks. Law: `write` resolves only when OpenSearch has said of each document that it is
 * stored or can never be. Busy (429), failing (5xx), lost or unintelligible answers are asked again without an end, with
 * backoff, and said once as long as they last; only what was not stored goes again, under the same ids.
 */
import type { Client } from '@opensearch-project/opensearch'
import { type Backoff, backoffMs } from '../../cluster/actor/backoff.ts'
import { MillraceError } from '../../cluster/errors.ts'
import type { EventBus } from '../../cluster/events.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { Document, Rejection } from '../documents.ts'
import type { Store } from '../sink.ts'
import { type Failure, failureOf } from './failures.ts'
import { itemsOf, judge } from './verdicts.ts'

export interface StoreOptions {
  readonly client: Client
  readonly index: string
  /** Names of the mapping. */
  readonly fields: ReadonlySet<string>
  /** ms of one request; the client's own limit ends with the first byte of the answer. */
  readonly timeout: number
  readonly backoff: Backoff
  /** Makes the index again where it has gone. */
  readonly ensureIndex: () => Promise<void>
  readonly events: EventBus
}

/** What one request came to. */
interface Round {
  readonly rejections: readonly Rejection[]
  readonly again: readonly Document[]
  /** Why some go again. */
  readonly reason?: string
  readonly indexIsGone?: boolean
}

export class OpenSearchStore implements Store {
  readonly #options: StoreOptions
  #told = ''

  constructor(options: StoreOptions) {
    this.#options = options
  }

  async write(documents: readonly Document[], signal: AbortSignal): Promise<readonly Rejection[]> {
    const rejections: Rejection[] = []
    let left = documents
    for (let attempt = 1; ; attempt++) {
      const round = await this.#round(left, signal)
      rejections.push(...round.rejections)
      if (round.again.length === 0) break
      // What got through shows that it goes on: the patience begins anew.
      if (round.again.length < left.length) attempt = 0
      left = round.again
      this.#tell(round.reason ?? '')
      // Where it cannot be made either, asking goes on.
      if (round.indexIsGone) await this.#options.ensureIndex().catch(() => undefined)
      await pause(backoffMs(this.#options.backoff, attempt, Math.random()), signal)
      signal.throwIfAborted()
    }
    this.#told = ''
    return rejections
  }

  #tell(reason: string): void {
    if (reason !== this.#told) this.#options.events.emit('waiting', { for: 'OpenSearch', detail: reason })
    this.#told = reason
  }

  async #round(documents: readonly Document[], signal: AbortSignal): Promise<Round> {
    const { client, index, timeout } = this.#options
    const path = `/${encodeURIComponent(index)}/_bulk`
    const request = client.transport.request({ method: 'POST', path, bulkBody: bodyOf(documents) })
    // It returns a promise, which an event's listener must not: Node would throw its rejection.
    const abort = () => void request.abort()
    const deadline = AbortSignal.timeout(timeout)
    deadline.addEventListener('abort', abort, { once: true })
    signal.addEventListener('abort', abort, { once: true })
    try {
      return this.#judgeAll(documents, (await request).body)
    } catch (error) {
      if (error instanceof MillraceError) throw error
      signal.throwIfAborted()
      const failure = deadline.aborted
        ? { kind: 'away' as const, reason: 'no answer in time' }
        : failureOf(error)
      return await this.#afterFailure(documents, failure, signal)
    } finally {
      deadline.removeEventListener('abort', abort)
      signal.removeEventListener('abort', abort)
    }
  }

  #judgeAll(documents: readonly Document[], body: unknown): Round {
    const items = itemsOf(
      body,
      documents.map(({ id }) => id),
    )
    if (items === undefined)
      return { rejections: [], again: documents, reason: 'its answer is not about what was asked' }
    const rejections: Rejection[] = []
    const again: Document[] = []
    let reason = ''
    let indexIsGone = false
    for (const [at, document] of documents.entries()) {
      const item = items[at]
      if (item === undefined) continue
      const judged = judge(item, this.#options.fields)
      if (judged.verdict === 'forbidden') throw forbidden(judged.reason)
      if (judged.verdict === 'rejected')
        rejections.push({ record: document.record, code: judged.code, reason: judged.reason })
      if (judged.verdict !== 'again') continue
      again.push(document)
      reason = judged.reason
      indexIsGone ||= judged.indexIsGone
    }
    return { rejections, again, reason, indexIsGone }
  }

  async #afterFailure(
    documents: readonly Document[],
    { kind, reason }: Failure,
    signal: AbortSignal,
  ): Promise<Round> {
    if (kind === 'auth') throw forbidden(reason)
    if (kind === 'refused')
      throw new MillraceError('opensearch-refused', `OpenSearch refuses a bulk: ${reason}`)
    if (kind === 'too-large') return await this.#halves(documents, reason, signal)
    return { rejections: [], again: documents, reason, indexIsGone: kind === 'missing' }
  }

  /** Whatever stands before OpenSearch may take less than one bulk. */
  async #halves(documents: readonly Document[], reason: string, signal: AbortSignal): Promise<Round> {
    const [only, another] = documents
    if (only === undefined || another === undefined) {
      const rejections = documents.map(({ record }) => ({
        record,
        code: 'opensearch:too-large',
        reason: `alone in a bulk, ${reason}`,
      }))
      return { rejections, again: [] }
    }
    const middle = Math.ceil(documents.length / 2)
    const first = await this.#round(documents.slice(0, middle), signal)
    const second = await this.#round(documents.slice(middle), signal)
    return {
      rejections: [...first.rejections, ...second.rejections],
      again: [...first.again, ...second.again],
      reason: first.reason || second.reason || '',
    }
  }
}

const forbidden = (reason: string): MillraceError =>
  new MillraceError('opensearch-auth', `OpenSearch refuses to be written: ${reason}`)

const NEWLINE = Buffer.from('\n')

const bodyOf = (documents: readonly Document[]): Buffer =>
  Buffer.concat(
    documents.flatMap(({ id, source }) => [
      Buffer.from(`{"index":{"_id":${JSON.stringify(id)}}}\n`),
      source,
      NEWLINE,
    ]),
  )
