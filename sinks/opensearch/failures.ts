/** What the client throws, told apart by what follows from it: pure. No reason repeats a value of a document. */
import { messageOf } from '../../cluster/errors.ts'

export interface Failure {
  /**
   * `away`: the same request again may succeed; `too-large`: a smaller one; `missing`: the index is gone;
   * `auth`: only a person can mend it; `refused`: no repetition helps.
   */
  readonly kind: 'away' | 'too-large' | 'missing' | 'auth' | 'refused'
  readonly reason: string
}

/** What waiting cannot mend: the certificate of either side. */
const certificateFault = /certificate|self.signed|unable to verify|altnames|wrong version number/i

export const failureOf = (error: unknown): Failure => {
  const status = statusOf(error)
  if (status === undefined) {
    const reason = messageOf(error)
    return { kind: certificateFault.test(reason) ? 'auth' : 'away', reason }
  }
  const reason = `it answers ${[status, typeOf(error)].join(' ').trim()}`
  if (status === 401 || status === 403) return { kind: 'auth', reason }
  if (status === 413) return { kind: 'too-large', reason }
  if (status === 404) return { kind: 'missing', reason }
  return { kind: status === 429 || status === 408 || status >= 500 ? 'away' : 'refused', reason }
}

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined

/** OpenSearch's name of an error, such as `mapper_parsing_exception`. */
export const typeName = (error: unknown): string => {
  const type = typeof error === 'object' && error !== null && 'type' in error ? error.type : undefined
  return typeof type === 'string' && /^[a-z_]+$/.test(type) ? type : ''
}

const typeOf = (error: unknown): string => {
  const body = error instanceof Error && 'body' in error ? error.body : undefined
  return typeof body === 'object' && body !== null && 'error' in body ? typeName(body.error) : ''
}
