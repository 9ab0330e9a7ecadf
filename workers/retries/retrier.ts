/**
 * One run of one parked record, for the queue's consumer: read the record, run it in the pool, send what it came to.
 *
 * Law: it decides nothing. A run may be repeated, be late or be of a record that is settled: the shard judges. A failure
 * that is not the record's own (Kafka away, the worker ends) is no run: the job comes again later, its attempts unspent.
 */
import type { EventBus, RetryRun } from '../../cluster/events.ts'
import { type RetryData, resultFrame, resultKey } from '../../cluster/protocol/retries.ts'
import type { RunVerdict } from '../../cluster/redis/retry-queue.ts'
import { childOf, formatTraceparent, parseTraceparent } from '../../cluster/trace.ts'
import { type Batcher, NotRun } from './batcher.ts'
import type { ParkedRecords } from './parked-records.ts'
import { type Policy, waitAfter } from './policy.ts'
import type { Results } from './results.ts'
import type { ParkedOutcome } from './run-parked.ts'

export interface RetrierParts {
  readonly records: ParkedRecords
  readonly batcher: Pick<Batcher, 'run' | 'stop'>
  readonly results: Results
  readonly policy: Policy
  /** Most bytes of a result. */
  readonly maxBytes: number
  readonly events: EventBus
}

interface Run {
  readonly park: string
  readonly attempt: number
  readonly trace: string | undefined
}

export class Retrier {
  readonly #parts: RetrierParts
  readonly #givenUp = Promise.withResolvers<RunVerdict>()

  constructor(parts: RetrierParts) {
    this.#parts = parts
  }

  /** @param failed how often this job has failed before */
  async run(data: RetryData, failed: number): Promise<RunVerdict> {
    try {
      return await Promise.race([this.#run(data, data.runsBefore + failed + 1), this.#givenUp.promise])
    } catch (error) {
      const reason = error instanceof NotRun ? error.message : String(error)
      this.#parts.events.emit('retryLater', { slot: data.slot, reason })
      return { verdict: 'later', reason }
    }
  }

  /** Runs that wait for a thread end as `later` at once, those that have one after a while: their jobs are another's then. */
  stop(patienceMs: number): void {
    this.#parts.batcher.stop()
    const giveUp = () => this.#givenUp.resolve({ verdict: 'later', reason: 'the worker ends' })
    setTimeout(giveUp, patienceMs).unref()
  }

  async #run(data: RetryData, attempt: number): Promise<RunVerdict> {
    const { partition, offset, slot, park, stateOffset } = data
    const parked = await this.#parts.records.read(slot, stateOffset)
    if (parked?.head.park !== park) return { verdict: 'ended', note: 'settled before' }
    const { record, head } = parked
    const parent = parseTraceparent(head.trace ?? '')
    const own = parent && childOf(parent)
    const begun = performance.now()
    const outcome = await this.#parts.batcher.run({ partition, attempt, record })
    const ended = performance.now()
    const { policy, results, events } = this.#parts
    const waitMs = waitAfter(policy, attempt, Math.random())
    const isLast = attempt >= policy.attempts
    const trace = own && formatTraceparent(own)
    const due = isLast ? undefined : Date.now() + waitMs
    const value = this.#valueOf(outcome, { park, attempt, trace }, record, due)
    await results.send({ slot, key: resultKey(partition, offset), value })
    const spans = own?.sampled ? { parent: head.trace, own: trace } : {}
    events.emit('retryRun', { slot, partition, offset, attempt, ...said(outcome), begun, ended, ...spans })
    if (outcome.outcome !== 'retry' && outcome.outcome !== 'dead')
      return { verdict: 'ended', note: outcome.outcome }
    const { code, message } = outcome
    const again = outcome.outcome === 'retry' && !isLast
    return { verdict: 'failed', code, message, ...(again && { waitMs }) }
  }

  /** @param due of the next run; absent where there is none */
  #valueOf(outcome: ParkedOutcome, run: Run, record: Buffer, due: number | undefined): Buffer {
    if (outcome.outcome === 'done') return this.#doneOf(run, outcome.json, record)
    if (outcome.outcome === 'drop') return resultFrame({ ...run, ...outcome }, '', record)
    if (outcome.outcome === 'retry' && due !== undefined)
      return resultFrame({ ...run, ...outcome, outcome: 'retry', due })
    return resultFrame({ ...run, ...outcome, outcome: 'dead' }, '', record)
  }

  /** An output that does not fit with its record does not fit anywhere: the record is dead, whole. */
  #doneOf(run: Run, json: string, record: Buffer): Buffer {
    const value = resultFrame({ ...run, outcome: 'done' }, json, record)
    if (value.length <= this.#parts.maxBytes) return value
    return resultFrame({ ...run, outcome: 'dead', code: 'output-too-large', message: '' }, '', record)
  }
}

const said = (outcome: ParkedOutcome): Pick<RetryRun, 'outcome' | 'code'> =>
  outcome.outcome === 'done' ? { outcome: 'done' } : { outcome: outcome.outcome, code: outcome.code }
