/** What a user writes: one module that exports a pipeline. Plain data and pure functions; loaded by threads, tests and tools alike. */
import type { Static, TObject } from 'typebox'
import type { TopicNames } from '../../cluster/protocol/names.ts'
import type { Aggregates } from './aggregates.ts'
import type { Figures } from './figures.ts'
import type { Verdict } from './outcome.ts'

export type RecordHeaders = readonly (readonly [name: string, value: Uint8Array | null])[]

/** One record as the caller of `execute` hands it over. Getters are welcome: what nobody reads is never made. */
export interface Input {
  /** Bytes of the Kafka key; null where the record has none. */
  readonly key: Uint8Array | null
  /** In their order; a name may come twice. Parsed on first use. */
  readonly headers: RecordHeaders
  /** Epoch ms of the Kafka record. */
  readonly timestamp: number
  /** Where the record stands; the output carries it as the header `millrace-origin`. */
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: number }
  /** Epoch ms of processing: use it instead of Date.now(), so that tests can fix it. */
  readonly now: number
  /** 1 at the first run. */
  readonly attempt: number
  /** Aborts when the task's time is up. */
  readonly signal: AbortSignal
}

/** What `process` is told about its record. */
export interface Context<Options, Resources> extends Input {
  /** The pipeline's own options, checked and with their defaults. */
  readonly options: Options
  /** What `setup` returned in this thread. */
  readonly resources: Resources
}

export type JsonObject = { [name: string]: unknown }

type Processed<V> = V | Verdict

/**
 * Published by count: in the transaction of the record that fills the batch, so exactly once, slot by slot. What does not
 * fill a batch lives in the state and survives stop and kill; `millrace insights --flush` publishes it.
 */
export interface BatchInsights<O extends TObject = TObject> {
  /** Done records of a slot from one publication to the next. */
  each: number | ((options: Static<O>) => number)
  /**
   * What is said then, one Kafka message each and at least one, to `topics.insights`. `total` aggregates hold what the
   * slot has counted since the pipeline began, `batch` aggregates these records alone. Pure: it may run twice for one batch.
   */
  messages(figures: Figures, at: BatchMoment): readonly JsonObject[]
}

export interface BatchMoment {
  /** Each slot has batches of its own. */
  readonly slot: number
  /** Records of the batch; fewer than `each` only where it was flushed. */
  readonly records: number
  /** Epoch ms. */
  readonly now: number
}

/** Published by the leading coordinator to `topics.clusterInsights`, over all slots. */
export interface ClusterInsights {
  /** Between two publications; nothing is sent where nothing has changed. */
  readonly seconds: number
  /** A repeat of a key replaces what was said before: the topic is compacted. */
  messages(figures: Figures): readonly { readonly key: string; readonly value: JsonObject }[]
}

/** How often and when a `retry` outcome runs again; what is absent is taken from the settings. */
export interface RetryPolicy {
  /** Runs in all, the first included; then the record is dead. */
  readonly attempts?: number
  /** ms until the second run; each later wait is twice the one before. */
  readonly delay?: number
  /** Share of a wait that chance may take away or add, 0 to 1. */
  readonly jitter?: number
}

/** Functions are methods here so that a pipeline of any types is an `AnyPipeline`. */
export interface Pipeline<
  S extends TObject = TObject,
  O extends TObject = TObject,
  R = unknown,
  V extends JsonObject = JsonObject,
> {
  /** Letters, digits, `.`, `_` and `-`: part of topic names and keys. */
  readonly name: string
  /**
   * Kafka topics, all different: `input`, which is never made or changed, `output` (absent: aggregates and insights are all
   * that is seen), `deadLetters`, and for `insights` and `clusterInsights` what is published of them.
   */
  readonly topics: TopicNames
  /** TypeBox schema of the record value; `default`s are filled in, other fields pass through. The first field that fails is the code `schema:<field>`; a `description` says what is expected. */
  readonly schema: S
  /** TypeBox schema of the pipeline's own options, read from MILLRACE_OPTION_<NAME>. `secret: true` on one hides it and lets demo and dry-run make one. */
  readonly options?: O
  /** Runs once per thread, before its first record; what it returns is `ctx.resources`. */
  setup?(options: Static<O>): R | Promise<R>
  /**
   * One record to one value, or `retry(code)`, `dead(code)`, `drop(code)`. The record belongs to it, and the value it
   * returns is given away: masks change it in place. Without it the checked record is the value.
   */
  process?(record: Static<S>, ctx: Context<Static<O>, R>): Processed<V> | Promise<Processed<V>>
  /** Field -> what is shown of it; run after `process`, before anything is written, and on dead letters' previews. */
  readonly masks?: Readonly<Record<string, (value: string) => string>>
  /** Epoch ms of the event, from the OUTPUT value (so that the audit can recount); default: the record's timestamp. */
  eventTime?(value: V): number
  /** By name, what is counted over the outputs, after the masks: `hourly.count()`, `total.countBy('country')`. */
  readonly aggregates?: Aggregates
  /** What is published every so many records. Needs `topics.insights`. */
  readonly insights?: BatchInsights<O>
  /** What is published every so many seconds. */
  readonly clusterInsights?: ClusterInsights
  /** How often and when a record runs again that came to `retry`; default: the settings'. */
  readonly retries?: RetryPolicy
  /** Code of a dead letter -> the class that `errors()` aggregates and alerts count it under; without it the code itself. */
  errorClass?(code: string): string
  /** Errors of one class at which people are alerted. */
  readonly alertAt?: number
  /** Mends the raw value of a dead letter, or undefined where it cannot. */
  repair?(value: JsonObject, code: string): JsonObject | undefined
}

export type AnyPipeline = Pipeline

/** Types flow from the schema to `process` to the output. Checks nothing: `lint` and the loader do. */
export const definePipeline = <S extends TObject, O extends TObject, R, V extends JsonObject>(
  pipeline: Pipeline<S, O, R, V>,
): Pipeline<S, O, R, V> => pipeline
