/**
 * Takes traces from the processes of a demo, as OTLP over HTTP in JSON (`POST /v1/traces`, gzip or not), so that one of them can be
 * shown without any other program. On loopback; what it keeps and what a request may hold is bounded.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { messageOf } from '../../cluster/errors.ts'
import { LOOPBACK } from '../services/ports.ts'
import { type ReceivedTrace, spansOfRequest } from './spans.ts'
import { traceStore } from './store.ts'

export interface TraceReceiver extends AsyncDisposable {
  /** Of `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` with `/v1/traces` behind it; `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` is `http/json`. */
  readonly url: string
  /** The trace of a retried record that has come to its end: from its sending if there is one, with the most runs. */
  pick(): ReceivedTrace | undefined
  close(): Promise<void>
}

export interface ReceiverOptions {
  /** Traces that are kept. */
  readonly most?: number
  /** Of a request, packed and unpacked. */
  readonly mostBytes?: number
}

const MOST_TRACES = 200
/** As OTLP recommends. */
const MOST_BYTES = 20 * 1024 ** 2

/** What is wrong with a request; not to be sent again. */
class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export const receiveTraces = async (options: ReceiverOptions = {}): Promise<TraceReceiver> => {
  const { most = MOST_TRACES, mostBytes = MOST_BYTES } = options
  const store = traceStore(most)
  const take = async (request: IncomingMessage): Promise<void> => {
    refuse(request)
    const spans = spansOfRequest(parse(await textOf(request, mostBytes)))
    if (spans === undefined) throw new Refusal(400, 'not an ExportTraceServiceRequest in JSON')
    store.add(spans)
  }
  const server = createServer((request, response) => {
    take(request).then(
      () => answer(response, 200, {}),
      (error: unknown) => {
        // What is left of the request is not read.
        response.setHeader('connection', 'close')
        answer(response, error instanceof Refusal ? error.status : 400, { message: messageOf(error) })
      },
    )
  })
  server.listen(0, LOOPBACK)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    url: `http://${LOOPBACK}:${port}`,
    pick: () => store.pick(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** @throws Refusal */
const refuse = ({ url, method, headers }: IncomingMessage): void => {
  if (url !== '/v1/traces') throw new Refusal(404, 'only /v1/traces is taken')
  if (method !== 'POST') throw new Refusal(405, 'POST only')
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new Refusal(415, 'application/json only: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json')
  if (!['identity', 'gzip'].includes(headers['content-encoding'] ?? 'identity'))
    throw new Refusal(415, 'gzip or nothing')
}

const unzip = promisify(gunzip)

const textOf = async (request: IncomingMessage, mostBytes: number): Promise<string> => {
  const tooLarge = () => new Refusal(413, `at most ${mostBytes} bytes`)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > mostBytes) throw tooLarge()
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  if (request.headers['content-encoding'] !== 'gzip') return body.toString('utf8')
  const unpacked = await unzip(body, { maxOutputLength: mostBytes }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge() : new Refusal(400, 'not gzip')
  })
  return unpacked.toString('utf8')
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, 'not JSON')
  }
}

/** An error is a Status message. */
const answer = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
