/**
 * The coordinator's HTTP server, on loopback.
 *   GET /healthz     200 while its loop turns, else 503
 *   GET /readyz      200 while it leads or stands by and sees the cluster, else 503
 *   GET /api/status  who leads, each pipeline's plan, the workers and their reports
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MillraceError } from '../cluster/errors.ts'
import type { CoordinatorStatus } from './coordinator.ts'

export interface HttpServer {
  readonly port: number
  close(): Promise<void>
}

/** A loop that has not turned for so long hangs. */
const HUNG_MS = 30_000

interface Answer {
  readonly code: number
  readonly body: unknown
}

type Route = (status: CoordinatorStatus) => Answer

const routes: Readonly<Record<string, Route>> = {
  '/healthz': ({ idleMs }) => ({ code: idleMs < HUNG_MS ? 200 : 503, body: { idleMs: Math.round(idleMs) } }),
  '/readyz': ({ sees, leading, idleMs }) => ({
    code: sees && idleMs < HUNG_MS ? 200 : 503,
    body: { leading, sees },
  }),
  '/api/status': (status) => ({ code: 200, body: status }),
}

/** @throws MillraceError `settings` where the port is taken */
export const serveHttp = async (port: number, status: () => CoordinatorStatus): Promise<HttpServer> => {
  const server = createServer((request, response) => answer(request, response, status))
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new MillraceError('settings', `port ${port} cannot be opened`, {
      remedy: 'give another MILLRACE_HTTP_PORT; 0 takes a free one',
      cause,
    })
  }
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close').catch(() => undefined)
    },
  }
}

const answer = (request: IncomingMessage, response: ServerResponse, status: () => CoordinatorStatus) => {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) return send(response, { code: 404, body: { error: 'no such page' } })
  if (request.method !== 'GET') return send(response, { code: 405, body: { error: 'GET only' } })
  send(response, route(status()))
}

const send = (response: ServerResponse, { code, body }: Answer) => {
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}
