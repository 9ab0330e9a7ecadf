/**
 * SASL/OAUTHBEARER (RFC 7628) with tokens of a module that the user names: the way into managed offers as well. kafkajs's own
 * takes whatever the broker answers for a yes: a refused token showed only as a connection that closes later.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Mechanism } from 'kafkajs'
import { MillraceError, messageOf } from '../errors.ts'
import { pause } from './failures.ts'

/** What the module's `oauthBearerToken()` gives. */
export interface OAuthBearerToken {
  readonly value: string
  /** Epoch ms. It is used again until shortly before; absent, each connection asks for one of its own. */
  readonly expiresAt?: number
  /** SASL extensions, such as `{ logicalCluster: 'lkc-1' }`. */
  readonly extensions?: Readonly<Record<string, string>>
}

type Source = () => Promise<OAuthBearerToken>

const SETTING = 'MILLRACE_KAFKA_OAUTH_MODULE'
const PATIENCE_MS = 10_000
/** What is left of a token's life when a new one is fetched; more than kafkajs begins ahead with a reauthentication. */
const MARGIN_MS = 15_000
const SOH = '\u0001'

/** One a module and process: its connections ask together. */
const sources = new Map<string, Source>()

export const oauthMechanism = (modulePath: string): Mechanism => ({
  mechanism: 'oauthbearer',
  authenticationProvider: ({ saslAuthenticate }) => ({
    authenticate: async () => {
      const token = await sourceOf(modulePath)()
      const refused = await saslAuthenticate({
        request: { encode: () => framed(clientFirst(token)) },
        response: { decode: (answer) => answer, parse: (answer) => textOf(answer) },
      })
      if (refused)
        throw new MillraceError('kafka-auth', `Kafka refuses the token: ${refused}`, {
          remedy: `check the token that the module of ${SETTING} gives: its issuer, audience, scope and expiry`,
        })
    },
  }),
})

const clientFirst = ({ value, extensions = {} }: OAuthBearerToken): string =>
  [
    'n,,',
    `auth=Bearer ${value}`,
    ...Object.entries(extensions).map(([name, text]) => `${name}=${text}`),
    '',
    '',
  ].join(SOH)

/** kafkajs puts what it is given behind the header: the length comes from us. */
const framed = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}

/** Behind its length. Empty means let in; else the server says why not, as JSON. */
const textOf = (answer: Buffer): string => answer.toString('utf8', 4).trim()

const sourceOf = (modulePath: string): Source => {
  const path = resolve(modulePath)
  const known = sources.get(path) ?? tokenSource(() => load(path))
  sources.set(path, known)
  return known
}

/** Those who ask while a token is fetched get that one; it is kept for as long as it says that it lives. */
export const tokenSource = (loading: () => Promise<Source>, now: () => number = Date.now): Source => {
  let fetching: Promise<OAuthBearerToken> | undefined
  let kept: OAuthBearerToken | undefined
  const fetch = async () => {
    kept = checked(await inTime(loading().then((source) => source())))
    return kept
  }
  return async () => {
    if (kept?.expiresAt !== undefined && kept.expiresAt - MARGIN_MS > now()) return kept
    fetching ??= fetch().finally(() => {
      fetching = undefined
    })
    return fetching
  }
}

const load = async (path: string): Promise<Source> => {
  const module: { readonly oauthBearerToken?: unknown } = await import(pathToFileURL(path).href).catch(
    (cause: unknown) => {
      throw wrong(`the module of ${SETTING} does not load: ${path}: ${messageOf(cause)}`, cause)
    },
  )
  if (typeof module.oauthBearerToken !== 'function')
    throw wrong(`the module of ${SETTING} exports no function oauthBearerToken: ${path}`)
  return module.oauthBearerToken as Source
}

const wrong = (detail: string, cause?: unknown): MillraceError =>
  new MillraceError('settings', detail, {
    cause,
    remedy: 'export `oauthBearerToken(): Promise<{ value }>` from it',
  })

const inTime = async (asked: Promise<unknown>): Promise<unknown> => {
  const over = new AbortController()
  try {
    return await Promise.race([
      asked,
      pause(PATIENCE_MS, over.signal).then(() => {
        throw new Error(`no token came within ${PATIENCE_MS} ms`)
      }),
    ])
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('kafka-auth', `the module of ${SETTING} gives no token: ${messageOf(error)}`, {
      remedy: 'mend what it says, or what it asks',
      cause: error,
    })
  } finally {
    over.abort()
  }
}

const checked = (token: unknown): OAuthBearerToken => {
  const { value } = (token ?? {}) as { readonly value?: unknown }
  if (typeof value === 'string' && value !== '') return token as OAuthBearerToken
  throw wrong(`oauthBearerToken of the module of ${SETTING} gives no text as value`)
}
