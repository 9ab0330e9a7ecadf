/**
 * What a supervisor does when a child has ended. Pure.
 *
 * - Before any child was ever ready, an operator's error (a stable exit code other than `internal`) is final: starting again
 *   would only repeat the line.
 * - Later, services that are away (Kafka, Redis) never spend the budget: their absence is waited for.
 * - Everything else spends it; beyond it the supervisor gives up.
 */
import { type Backoff, backoffMs } from '../cluster/actor/backoff.ts'
import { type Budget, spend } from '../cluster/actor/budget.ts'
import { type ErrorCode, errorKinds } from '../cluster/errors.ts'

export interface Ended {
  readonly exitCode: number | null
  readonly signal: string | null
  /** What the child said of it. */
  readonly said: { readonly code: string; readonly detail: string } | undefined
}

export interface History {
  readonly everReady: boolean
  readonly spent: readonly number[]
  /** Restarts in a row without a ready child. */
  readonly inVain: number
}

export type Verdict =
  | { readonly verdict: 'restart'; readonly waitMs: number; readonly history: History }
  | { readonly verdict: 'give-up'; readonly code: ErrorCode; readonly detail: string }

export interface RestartRules {
  readonly budget: Budget
  readonly backoff: Backoff
}

const isCode = (code: string): code is ErrorCode => Object.hasOwn(errorKinds, code)

/** Codes that share an exit code say the same to a supervisor. */
const codeOf = ({ exitCode, said }: Ended): ErrorCode | undefined => {
  if (said !== undefined && isCode(said.code)) return said.code
  const known = Object.entries(errorKinds).find(([, kind]) => kind.exit === exitCode)?.[0]
  return known !== undefined && isCode(known) ? known : undefined
}

export const describeEnd = ({ exitCode, signal, said }: Ended): string => {
  const how = signal === null ? `exit code ${exitCode}` : signal
  return said === undefined ? how : `${how}: ${said.detail}`
}

const isAway = (code: ErrorCode | undefined): boolean =>
  code === 'kafka-unreachable' || code === 'redis-unreachable'
const isFinal = (code: ErrorCode | undefined): code is ErrorCode =>
  code !== undefined && code !== 'internal' && code !== 'restart-budget' && code !== 'timeout'

export const afterEnd = (
  ended: Ended,
  history: History,
  rules: RestartRules,
  now: number,
  random: number,
): Verdict => {
  const code = codeOf(ended)
  if (!history.everReady && isFinal(code))
    return {
      verdict: 'give-up',
      code,
      detail: ended.said?.detail ?? `a worker process ended with ${describeEnd(ended)}`,
    }
  const inVain = history.inVain + 1
  const waitMs = backoffMs(rules.backoff, inVain, random)
  if (isAway(code)) return { verdict: 'restart', waitMs, history: { ...history, inVain } }
  const { granted, spent } = spend(rules.budget, history.spent, now)
  if (granted) return { verdict: 'restart', waitMs, history: { ...history, spent, inVain } }
  const { restarts, windowMs } = rules.budget
  const detail = `worker processes ended more than ${restarts} times within ${windowMs} ms; the last with ${describeEnd(ended)}`
  return { verdict: 'give-up', code: 'restart-budget', detail }
}
