/**
 * Why a broker closes the connection without a word: it speaks TLS where the client does not, or the other way round, or wants a
 * login first. A port that only forwards to a broker which is not up yet looks the same, so the other way is tried before it is said.
 */
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs'
import { MillraceError } from '../errors.ts'
import { answersTls } from '../tls.ts'

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':'))
const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

const PATIENCE_MS = 3000

export const isClosed = (why: string): boolean =>
  /closed connection|disconnected before secure|ECONNRESET|EPIPE/i.test(why)

/** What is set wrongly; undefined where the other way is not answered either. */
export const listenerMismatch = async ({ ssl, brokers }: KafkaConfig): Promise<MillraceError | undefined> => {
  const [address = ''] = Array.isArray(brokers) ? brokers : []
  if (ssl)
    return (await answersPlainly(address))
      ? wrong(address, 'speaks no TLS', 'unset MILLRACE_KAFKA_TLS')
      : undefined
  return (await answersTls(hostOf(address), portOf(address)))
    ? wrong(address, 'speaks TLS', 'set MILLRACE_KAFKA_TLS=true')
    : undefined
}

export const wantsLogin = (address: string): MillraceError =>
  wrong(
    address,
    'closes the connection of a client without a login',
    'set MILLRACE_KAFKA_SASL_MECHANISM and its login',
  )

const wrong = (address: string, what: string, todo: string): MillraceError =>
  new MillraceError('kafka-auth', `the listener at ${address} ${what}`, {
    remedy: `${todo}, or name another port`,
  })

/** Asks for the broker's versions, which needs no login. */
const answersPlainly = async (address: string): Promise<boolean> => {
  const quiet = { logLevel: logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: PATIENCE_MS }
  const admin = new Kafka({ ...quiet, clientId: 'millrace', brokers: [address] }).admin()
  try {
    await admin.connect()
    return true
  } catch {
    return false
  } finally {
    await admin.disconnect()
  }
}
