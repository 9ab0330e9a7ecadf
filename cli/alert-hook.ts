/**
 * Alerts, posted as JSON to the setting `alertHook`: one after another, each try with a deadline, a few tries each. What the
 * hook does not take is told and given up: the alert itself stands in the log in any case.
 */
import { type Backoff, backoffMs } from '../cluster/actor/backoff.ts'
import { type Clock, sleep, systemClock } from '../cluster/actor/clock.ts'
import { messageOf } from '../cluster/errors.ts'
import type { EventBus, Events } from '../cluster/events.ts'

export interface AlertHookOptions {
  readonly events: EventBus
  /** Of one try. */
  readonly deadlineMs?: number
  readonly backoff?: Backoff
  /** After the end of the coordinator. */
  readonly lastMs?: number
  readonly clock?: Clock
}

const TRIES = 3
const DEADLINE_MS = 5000
const BACKOFF: Backoff = { firstMs: 1000, maxMs: 10_000 }
/** For the alerts of a leader's last words. */
const LAST_MS = 2000

/** From here on every alert is posted; the end waits a little for those under way. */
export const postAlerts = (hook: string, options: AlertHookOptions): AsyncDisposable => {
  const { events, clock = systemClock, lastMs = LAST_MS } = options
  const ending = new AbortController()
  let last = Promise.resolve()
  events.on('alert', (alert) => {
    const body = JSON.stringify({ ...alert, time: new Date(clock.wall()).toISOString() })
    last = last.then(async () => {
      const fault = await deliver(hook, body, ending.signal, options)
      if (fault !== undefined) events.emit('alertUnsent', unsent(alert, fault))
    })
  })
  return {
    async [Symbol.asyncDispose]() {
      const cancel = clock.after(lastMs, () => ending.abort(), 'holds')
      await last
      cancel()
    },
  }
}

const unsent = ({ pipeline, errorClass }: Events['alert'], reason: string): Events['alertUnsent'] => ({
  pipeline,
  errorClass,
  reason,
})

/** @returns why it was not taken; undefined where it was */
const deliver = async (
  hook: string,
  body: string,
  ending: AbortSignal,
  { deadlineMs = DEADLINE_MS, backoff = BACKOFF, clock = systemClock }: AlertHookOptions,
): Promise<string | undefined> => {
  let fault: string | undefined
  for (let tried = 1; tried <= TRIES && !ending.aborted; tried++) {
    fault = await post(hook, body, ending, deadlineMs)
    if (fault === undefined) return undefined
    if (tried < TRIES) await sleep(clock, backoffMs(backoff, tried, Math.random()), ending)
  }
  return fault ?? ENDS
}

const ENDS = 'the coordinator ends'

const post = async (
  hook: string,
  body: string,
  ending: AbortSignal,
  deadlineMs: number,
): Promise<string | undefined> => {
  const deadline = AbortSignal.timeout(deadlineMs)
  try {
    const { url, headers } = requestOf(hook)
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      // Followed, a redirect may become a GET, which would look like success.
      redirect: 'manual',
      signal: AbortSignal.any([deadline, ending]),
    })
    // Nobody reads it, and it need not end.
    await response.body?.cancel().catch(() => {})
    return response.ok ? undefined : `it answers ${response.status}`
  } catch (error) {
    if (ending.aborted) return ENDS
    return deadline.aborted ? `no answer within ${deadlineMs / 1000} s` : reasonOf(error)
  }
}

/** `fetch` takes no login within an address. */
const requestOf = (hook: string): { readonly url: URL; readonly headers: Record<string, string> } => {
  const url = new URL(hook)
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (url.username !== '' || url.password !== '') {
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers.authorization = `Basic ${Buffer.from(login).toString('base64')}`
    url.username = url.password = ''
  }
  return { url, headers }
}

/** `fetch failed` says nothing; what lies below it says which host and why. */
const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return messageOf(cause ?? error) || code || messageOf(error)
}
