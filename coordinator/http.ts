/**
 * The coordinator's HTTP server, on loopback unless a login guards it (login.ts).
 *   GET /healthz     200 while its loop turns, else 503
 *   GET /readyz      200 while it leads or stands by and sees the cluster, else 503
 *   GET /api/status  who leads, each pipeline's plan, the workers and their reports
 *   GET /sd/prometheus  where the metrics of every live process are, for Prometheus' http_sd
 *   GET /login       with the token: a browser's way in (login-link.ts)
 *   pages            whatever is mounted, such as the retry queues
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MillraceError } from '../cluster/errors.ts'
import type { CoordinatorStatus } from './coordinator.ts'
import { type Gate, gateOf, type Login } from './login.ts'
import { LOGIN_PATH, logIn } from './login-link.ts'

export interface HttpOptions {
  readonly port: number
  /** Address to listen on. */
  readonly host?: string
  /** Where people find it, without a slash at the end (default: its address and port). */
  readonly url?: string
  readonly login?: Login
  /** What `/sd/prometheus` answers with; absent: there is no such page. @throws where Redis is away */
  readonly targets?: () => Promise<readonly object[]>
  /** Where a browser goes from the login link. */
  readonly home?: string
  /** Begins with a slash; serves itself and all below. */
  readonly pages?: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>>
}

export interface HttpServer {
  readonly port: number
  /** Where people find it. */
  readonly url: string
  close(): Promise<void>
}

/** A loop that has not turned for so long hangs. */
const HUNG_MS = 30_000

interface Answer {
  readonly code: number
  readonly body: unknown
}

type Route = (status: CoordinatorStatus) => Answer

/** Its loop turns. */
export const isAlive = ({ idleMs }: CoordinatorStatus): boolean => idleMs < HUNG_MS
/** It leads, or stands by and sees the cluster. */
export const isReady = (status: CoordinatorStatus): boolean => status.sees && isAlive(status)

const routes: Readonly<Record<string, Route>> = {
  '/healthz': (status) => ({
    code: isAlive(status) ? 200 : 503,
    body: { idleMs: Math.round(status.idleMs) },
  }),
  '/readyz': (status) => ({
    code: isReady(status) ? 200 : 503,
    body: { leading: status.leading, sees: status.sees },
  }),
  '/api/status': (status) => ({ code: 200, body: status }),
}

const LOOPBACK = '127.0.0.1'
const NO_LOGIN: Login = { token: '', user: '', password: '' }

/** @throws MillraceError `settings` where it cannot listen there, or must not without a login */
export const serveHttp = async (
  options: HttpOptions,
  status: () => CoordinatorStatus,
): Promise<HttpServer> => {
  const { port, host = LOOPBACK, login = NO_LOGIN, home = '/api/status', pages = {}, targets } = options
  const gate = gateOf(host, login)
  const server = createServer((request, response) => {
    if (request.method === 'GET' && pathOf(request) === LOGIN_PATH)
      if (logIn({ token: login.token, home }, request, response)) return
    if (!pass(gate, login, request, response)) return
    const page = Object.entries(pages).find(([prefix]) => isBelow(prefix, pathOf(request)))?.[1]
    if (page !== undefined) page(request, response)
    else if (targets !== undefined && pathOf(request) === TARGETS) void tellTargets(response, targets)
    else answer(request, response, status)
  })
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new MillraceError('settings', `${host}:${port} cannot be opened`, {
      remedy: 'give another MILLRACE_HTTP_PORT (0 takes a free one) or MILLRACE_HTTP_HOST',
      cause,
    })
  }
  const { port: opened } = server.address() as AddressInfo
  return {
    port: opened,
    url: options.url ?? `http://${nameFor(host)}:${opened}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close').catch(() => undefined)
    },
  }
}

const TARGETS = '/sd/prometheus'

/** Prometheus keeps the targets it knows while the answer is an error. */
const tellTargets = async (response: ServerResponse, targets: () => Promise<readonly object[]>) => {
  const answered = await targets().then(
    (body): Answer => ({ code: 200, body }),
    (): Answer => ({ code: 503, body: { error: 'Redis is away: which processes live is not known now' } }),
  )
  send(response, answered)
}

/** All addresses at once are none that a browser could go to. */
const nameFor = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return LOOPBACK
  return host.includes(':') ? `[${host}]` : host
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?')[0] ?? '/'

const isBelow = (prefix: string, path: string): boolean => path === prefix || path.startsWith(`${prefix}/`)

const pass = (gate: Gate, login: Login, request: IncomingMessage, response: ServerResponse): boolean => {
  const { authorization, cookie, host, origin } = request.headers
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const verdict = isRead || isOwn(origin, host) ? gate({ authorization, cookie, host }) : 'forbidden'
  if (verdict === 'open') return true
  if (verdict === 'login') response.setHeader('www-authenticate', challengeOf(login))
  const error = verdict === 'login' ? needed(login) : 'ask from this page, for 127.0.0.1 or localhost'
  send(response, { code: verdict === 'login' ? 401 : 403, body: { error } })
  return false
}

/** A browser asks its user for a name and a password; without any it shows what `needed` says. */
const challengeOf = ({ password }: Login): string =>
  password === '' ? 'Bearer realm="millrace"' : 'Basic realm="millrace", charset="UTF-8"'

const needed = ({ token }: Login): string =>
  token === ''
    ? 'a login is needed'
    : `a login is needed: ${LOGIN_PATH}?token=... in a browser, the header Authorization: Bearer ... from a program`

/** A browser names the page that asks: another one's must change nothing here with this one's login. */
const isOwn = (origin: string | undefined, host: string | undefined): boolean =>
  origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)

const answer = (request: IncomingMessage, response: ServerResponse, status: () => CoordinatorStatus) => {
  const path = pathOf(request)
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) return send(response, { code: 404, body: { error: 'no such page' } })
  if (request.method !== 'GET') return send(response, { code: 405, body: { error: 'GET only' } })
  send(response, route(status()))
}

const send = (response: ServerResponse, { code, body }: Answer) => {
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}
