/** What kafkajs's admin throws, as an operator's error: what was tried, what Kafka said, what to do. */
import { type ErrorCode, MillraceError } from '../errors.ts'
import { isAuthenticationFailure } from './failures.ts'

/** kafkajs keeps Kafka's name of the error in `type`, and wraps: retries in `cause`, topics in `errors`. */
export const kafkaErrors = (error: unknown): readonly string[] => {
  if (!(error instanceof Error)) return []
  const own = 'type' in error && typeof error.type === 'string' ? [error.type] : []
  const inner = 'errors' in error && Array.isArray(error.errors) ? error.errors.flatMap(kafkaErrors) : []
  return [...own, ...inner, ...kafkaErrors(error.cause)]
}

export const isUnknownTopic = (error: unknown): boolean =>
  kafkaErrors(error).includes('UNKNOWN_TOPIC_OR_PARTITION')

const reasons = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const inner = 'errors' in error && Array.isArray(error.errors) ? error.errors : []
  return inner.length === 0 ? error.message : [...new Set(inner.map(reasons))].join(', ')
}

const codeFor = (types: readonly string[]): { readonly code: ErrorCode; readonly remedy?: string } => {
  const has = (...names: readonly string[]) => names.some((name) => types.includes(name))
  if (has('TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED'))
    return {
      code: 'kafka-auth',
      remedy:
        '`millrace acls --for topics` lists the rights; or let who has them run `millrace topics create`',
    }
  if (has('INVALID_REPLICATION_FACTOR'))
    return { code: 'topic-mismatch', remedy: 'set MILLRACE_REPLICATION to at most the number of brokers' }
  if (has('INVALID_TOPIC_EXCEPTION'))
    return {
      code: 'topic-mismatch',
      remedy: 'topic names have letters, digits, dots, dashes and underscores',
    }
  if (has('POLICY_VIOLATION', 'INVALID_CONFIG', 'INVALID_PARTITIONS', 'INVALID_REQUEST'))
    return { code: 'topic-mismatch', remedy: 'make the topics by hand as docs/architecture.md says' }
  return { code: 'kafka-unreachable' }
}

export const adminFailure = (tried: string, error: unknown): MillraceError => {
  if (error instanceof MillraceError) return error
  const { code, remedy } = isAuthenticationFailure(error)
    ? { code: 'kafka-auth' as const }
    : codeFor(kafkaErrors(error))
  return new MillraceError(code, `${tried}: ${reasons(error)}`, {
    cause: error,
    ...(remedy ? { remedy } : {}),
  })
}
