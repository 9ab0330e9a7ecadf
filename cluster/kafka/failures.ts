/** What kafkajs throws, told apart: a lost call may be repeated by whoever knows that it is safe; refused credentials never. */
import { sleep, systemClock } from '../actor/clock.ts'
import { MillraceError, messageOf } from '../errors.ts'

const authentication = new Set(['KafkaJSSASLAuthenticationError', 'KafkaJSUnsupportedSaslHandshake'])

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '')

export const isAuthenticationFailure = (error: unknown): boolean => {
  if (authentication.has(nameOf(error))) return true
  if (error instanceof MillraceError) return error.code === 'kafka-auth' || error.code === 'settings'
  return error instanceof Error && error.cause !== undefined && isAuthenticationFailure(error.cause)
}

/** Thrown by our own code inside kafkajs, which may have wrapped it. */
export const ownError = (error: unknown): MillraceError | undefined => {
  if (error instanceof MillraceError) return error
  return error instanceof Error && error.cause !== undefined ? ownError(error.cause) : undefined
}

/** One line for people; kafkajs's own text names the broker's address. */
export const asMillraceError = (error: unknown, brokers: readonly string[]): MillraceError => {
  const own = ownError(error)
  if (own !== undefined) return own
  if (isAuthenticationFailure(error))
    return new MillraceError('kafka-auth', `Kafka at ${brokers.join(', ')} refuses the credentials`, {
      cause: error,
    })
  return new MillraceError(
    'kafka-unreachable',
    `no Kafka broker answers at ${brokers.join(', ')}: ${messageOf(error)}`,
    { cause: error },
  )
}

const INSIST_MS = 60_000
const INSIST_PAUSE_MS = 500

/** No answer came, from this broker or on this connection: another may give it. */
export const isLost = (error: unknown): boolean => {
  if (/^KafkaJS(Connection|RequestTimeout|BrokerNotFound)/.test(nameOf(error))) return true
  return error instanceof Error && error.cause !== undefined && isLost(error.cause)
}

/** Asks again until it is answered, for a minute at the most; refused credentials are final. Only for what may be repeated. */
export const insist = async <T>(
  ask: () => Promise<T>,
  again: (error: unknown) => boolean = (error) => !isAuthenticationFailure(error),
): Promise<T> => {
  const deadline = performance.now() + INSIST_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!again(error) || performance.now() > deadline) throw error
      await pause(INSIST_PAUSE_MS)
    }
  }
}

/** Resolves after `ms`, or at once when the signal aborts. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> => sleep(systemClock, ms, signal)

/** Resolves when the work has ended, however, or at the deadline (epoch ms): what it comes to later is nobody's. */
export const untilDeadline = async (deadline: number, work: Promise<unknown>): Promise<void> => {
  const done = new AbortController()
  // A timer may go off a millisecond early, and whoever is woken by this one looks at the time.
  const left = Math.max(0, deadline + 1 - Date.now())
  await Promise.race([work.catch(() => undefined), pause(left, done.signal)])
  done.abort()
}
