/**
 * The OpenSearch client from the settings. Its own retries and its bulk helper are off: the helper hangs where answers are
 * slower than its flush interval (opensearch-js issue 1061), and no retry of it is endless (store.ts has those).
 */
import { readFileSync } from 'node:fs'
import { Client, Connection } from '@opensearch-project/opensearch'
import { MillraceError } from '../../cluster/errors.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { Settings } from '../../cluster/settings.ts'
import { type Failure, failureOf } from './failures.ts'

/**
 * The library prints to stdout what breaks an answer that has begun, and stdout is for data. Nothing is lost: the answer
 * itself ends with an error as well.
 */
class QuietConnection extends Connection {
  override request(...[params, callback]: Parameters<Connection['request']>) {
    const request = super.request(params, (error, response) => {
      if (error === null) request.removeAllListeners('error').on('error', () => {})
      callback(error, response)
    })
    return request
  }
}

export const openSearchClient = (settings: Settings): Client => {
  const { opensearchUrl, opensearchUsername: username, opensearchPassword: password } = settings
  return new Client({
    nodes: [...opensearchUrl],
    Connection: QuietConnection,
    maxRetries: 0,
    requestTimeout: settings.requestTimeout,
    ...(username === '' ? {} : { auth: { username, password } }),
    ...(settings.opensearchCa === undefined ? {} : { ssl: { ca: caOf(settings.opensearchCa) } }),
  })
}

const caOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new MillraceError('settings', `the file of MILLRACE_OPENSEARCH_CA cannot be read: ${path}`, {
      cause,
    })
  }
}

interface Waiting {
  readonly timeout: number
  readonly signal: AbortSignal
  /** Told once, and again whenever the reason changes. */
  readonly waiting: (why: string) => void
}

const LOOK_MS = 500

/**
 * Ends when OpenSearch answers, or the signal aborts.
 * @throws MillraceError `opensearch-auth` at once where credentials or certificates are refused; `opensearch-unreachable` in the end
 */
export const awaitOpenSearch = async (client: Client, options: Waiting): Promise<void> => {
  const deadline = performance.now() + options.timeout
  let told = ''
  while (!options.signal.aborted) {
    const failure = await look(client)
    if (failure === undefined) return
    const { kind, reason } = failure
    if (kind === 'auth') throw new MillraceError('opensearch-auth', `OpenSearch: ${reason}`)
    if (kind === 'refused' || performance.now() >= deadline)
      throw new MillraceError('opensearch-unreachable', `OpenSearch does not answer: ${reason}`)
    if (reason !== told) options.waiting(reason)
    told = reason
    await pause(LOOK_MS, options.signal)
  }
}

const look = async (client: Client): Promise<Failure | undefined> => {
  try {
    const { body } = await client.info()
    if (typeof body === 'object' && 'version' in body) return undefined
    return { kind: 'refused', reason: 'what answers there is no OpenSearch' }
  } catch (error) {
    return failureOf(error)
  }
}
