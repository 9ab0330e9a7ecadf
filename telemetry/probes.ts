/**
 * A process's own small HTTP server, for machines: no login, nothing of a record.
 *   GET /metrics   as Prometheus reads it
 *   GET /healthz   200 while the process is alive, else 503: restart it
 *   GET /readyz    200 while it does what it is there for, else 503 and why
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MillraceError } from '../cluster/errors.ts'

export interface Verdict {
  readonly ok: boolean
  /** For people; empty where all is well. */
  readonly why: string
}

export interface Probes {
  readonly healthy: () => Verdict
  readonly ready: () => Verdict
}

export interface ProbesOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly probes: Probes
  /** Absent where the SDK is off. */
  readonly metrics?: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
}

export interface ProbesServer {
  readonly port: number
  close(): Promise<void>
}

const send = (response: ServerResponse, code: number, text: string): void => {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  response.end(`${text}\n`)
}

const told = (response: ServerResponse, { ok, why }: Verdict): void =>
  send(response, ok ? 200 : 503, why === '' ? 'ok' : why)

/** @throws MillraceError `settings` where it cannot listen there */
export const serveProbes = async ({ host, port, probes, metrics }: ProbesOptions): Promise<ProbesServer> => {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '/').split('?')
    if (request.method !== 'GET' && request.method !== 'HEAD') send(response, 405, 'GET only')
    else if (path === '/metrics' && metrics !== undefined) metrics(request, response)
    else if (path === '/healthz') told(response, probes.healthy())
    else if (path === '/readyz') told(response, probes.ready())
    else send(response, 404, '/metrics, /healthz or /readyz')
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new MillraceError('settings', `${host}:${port} cannot be opened for metrics`, {
      remedy: 'give another MILLRACE_METRICS_PORT (0 takes a free one) or MILLRACE_METRICS_HOST',
      cause,
    })
  }
  // It never keeps a process alive that has nothing else to do.
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close').catch(() => undefined)
    },
  }
}
