/**
 * An HTTP server before another one that breaks things on purpose, and can ask for TLS and a login. A fault serves one
 * request; `after` ones let the server behind do the work, so that the client never hears of it.
 */
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export type Fault =
  | { readonly fault: 'answer'; readonly status: number; readonly body?: string }
  /** The connection goes before the request is passed on. */
  | { readonly fault: 'cut' }
  /** The request is done, its answer is lost with the connection. */
  | { readonly fault: 'cut-after' }
  /** The same, in the middle of the answer. */
  | { readonly fault: 'half-answer' }
  /** Nothing is passed on before the promise settles. */
  | { readonly fault: 'hold'; readonly until: Promise<void> }

export interface HttpProxyOptions {
  readonly target: string
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly login?: { readonly username: string; readonly password: string }
}

export interface HttpProxy extends AsyncDisposable {
  readonly url: string
  /** Each bulk asks for its fault. */
  faultOf: () => Fault | undefined
  /** Bulks that came. */
  readonly bulks: number
  /** Bulks under way at once, at the most. */
  readonly most: number
}

export const startHttpProxy = async (options: HttpProxyOptions): Promise<HttpProxy> => {
  const state = { faultOf: (): Fault | undefined => undefined, bulks: 0, most: 0, now: 0 }
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    void serve(options, state, request, response).catch(() => response.destroy())
  }
  const server = options.tls === undefined ? createServer(answer) : createTlsServer(options.tls, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(state, {
    url: `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

interface State {
  faultOf: () => Fault | undefined
  bulks: number
  most: number
  now: number
}

const serve = async (
  options: HttpProxyOptions,
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const { target, login } = options
  const body = await buffer(request)
  const wanted = login && `Basic ${btoa(`${login.username}:${login.password}`)}`
  if (wanted !== undefined && request.headers.authorization !== wanted) {
    response.writeHead(401).end()
    return
  }
  if (request.url?.includes('/_bulk') !== true) {
    await pass(target, request, body, response)
    return
  }
  state.bulks++
  state.now++
  state.most = Math.max(state.most, state.now)
  try {
    await withFault(state.faultOf(), (mode) => pass(target, request, body, response, mode), response)
  } finally {
    state.now--
  }
}

const withFault = async (
  fault: Fault | undefined,
  passOn: (mode?: 'cut' | 'half') => Promise<void>,
  response: ServerResponse,
): Promise<void> => {
  if (fault?.fault === 'answer') {
    response.writeHead(fault.status, { 'content-type': 'application/json' }).end(fault.body ?? '{}')
  } else if (fault?.fault === 'cut') response.destroy()
  else if (fault?.fault === 'cut-after') await passOn('cut')
  else if (fault?.fault === 'half-answer') await passOn('half')
  else {
    await fault?.until
    await passOn()
  }
}

const pass = async (
  target: string,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
  mode?: 'cut' | 'half',
): Promise<void> => {
  const { host: _, authorization: __, ...kept } = headers
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    forward(new URL(url ?? '/', target), { method, headers: kept }, resolve)
      .once('error', reject)
      .end(body)
  })
  const content = await buffer(reply)
  if (mode === 'cut') {
    response.destroy()
    return
  }
  response.writeHead(reply.statusCode ?? 500, reply.headers)
  if (mode === 'half') response.write(content.subarray(0, content.length / 2), () => response.destroy())
  else response.end(content)
}
