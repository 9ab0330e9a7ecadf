/** What one run of a record came to: data, one tagged union from thread to commit, never a thrown class. */
export interface Done<V> {
  readonly outcome: 'done'
  readonly value: V
}
export interface Retry {
  readonly outcome: 'retry'
  readonly code: string
  readonly message: string
}
export interface Dead {
  readonly outcome: 'dead'
  readonly code: string
  readonly message: string
}
export interface Drop {
  readonly outcome: 'drop'
  readonly code: string
}

/**
 * Tells a verdict from a value: fields pass through, so a record may itself say `"outcome":"dead"`, but no JSON has a
 * symbol. Registered, so that two copies of this package understand each other.
 */
const verdict: unique symbol = Symbol.for('millrace.verdict')
export type Verdict = (Retry | Dead | Drop) & { readonly [verdict]: true }

/** The record may succeed later. `message` must not repeat a value of the record: it travels in headers and logs. */
export const retry = (code: string, message = ''): Verdict => ({
  outcome: 'retry',
  code,
  message,
  [verdict]: true,
})
/** The record can never succeed: it becomes a dead letter. The rule for `message` is that of `retry`. */
export const dead = (code: string, message = ''): Verdict => ({
  outcome: 'dead',
  code,
  message,
  [verdict]: true,
})
/** Nobody needs the record: it is counted and its offset noted, nothing else. */
export const drop = (code: string): Verdict => ({ outcome: 'drop', code, [verdict]: true })

export const isVerdict = (value: object): value is Verdict => verdict in value
