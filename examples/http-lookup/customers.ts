/** The client: each thing that can happen to a request is an answer or a verdict, and never a throw. */
import { dead, retry, type Verdict } from '../../pipelines/api/outcome.ts'

export type Found = { readonly tier: string } | Verdict

/** @throws TypeError where `url` is none: no record is processed then */
export const customers = (url: string, timeoutMs: number) => {
  const base = new URL(url)
  return {
    /** `signal` is the record's: it ends the request when the time of the whole batch is up. */
    async tierOf(id: string, signal: AbortSignal): Promise<Found> {
      const target = new URL(base)
      // As a parameter: in a path `..` would lead elsewhere.
      target.searchParams.set('id', id)
      const timeout = AbortSignal.timeout(timeoutMs)
      try {
        const response = await fetch(target, { signal: AbortSignal.any([signal, timeout]) })
        // Read to its end in any case: an unread body keeps its connection.
        const body = await response.text()
        return response.ok ? answerIn(body) : verdictOn(response.status)
      } catch {
        return timeout.aborted || signal.aborted ? retry('lookup-timeout') : retry('lookup-unreachable')
      }
    },
  }
}

const TOO_EARLY = 425
const TOO_MANY = 429

/** Codes are few and fixed: dead letters are counted by them. The message holds nothing of the record. */
const verdictOn = (status: number): Verdict => {
  if (status === 404) return dead('unknown-customer')
  const later = status >= 500 || status === 408 || status === TOO_EARLY || status === TOO_MANY
  return later ? retry('lookup-failed', `status ${status}`) : dead('lookup-refused', `status ${status}`)
}

const answerIn = (body: string): Found => {
  const customer = parsed(body)
  const tier = typeof customer === 'object' && customer !== null && 'tier' in customer && customer.tier
  return typeof tier === 'string' ? { tier } : dead('lookup-answer', 'the answer names no tier')
}

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
