/** A TCP server that is a broker for kafkajs's handshake; every other request is the test's to answer. */
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { ByteWriter } from '../../../cluster/kafka/bytes.ts'

export interface TinyRequest {
  readonly apiKey: number
  readonly correlationId: number
  readonly socket: Socket
  /** The whole reply. */
  answer(body: Buffer): void
  /** So many bytes of it, then the connection ends. */
  answerPart(body: Buffer, bytes: number): void
}

export interface TinyBroker extends AsyncDisposable {
  readonly address: string
  readonly requests: TinyRequest[]
  readonly sockets: ReadonlySet<Socket>
}

const API_VERSIONS = 18
const METADATA = 3
const HALF = 20

const frame = (correlationId: number, body: Buffer): Buffer =>
  new ByteWriter().bytes(new ByteWriter().int32(correlationId).raw(body).done()).done()

/** @param cutMetadata which of its Metadata replies, counted from 1, ends in the middle, and the connection with it */
export const tinyBroker = async (
  serve: (request: TinyRequest) => void,
  cutMetadata = 0,
): Promise<TinyBroker> => {
  let described = 0
  const requests: TinyRequest[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined) // The client drops connections: that is what is tested.
    eachFrame(socket, (bytes) => {
      const correlationId = bytes.readInt32BE(4)
      const answer = (body: Buffer) => void socket.write(frame(correlationId, body))
      const answerPart = (body: Buffer, size: number) =>
        void socket.write(frame(correlationId, body).subarray(0, size), () => socket.destroy())
      const request = { apiKey: bytes.readInt16BE(0), correlationId, socket, answer, answerPart }
      if (request.apiKey === API_VERSIONS) return answer(apiVersions())
      if (request.apiKey === METADATA) {
        if (++described === cutMetadata) return answerPart(metadata(port()), HALF)
        return answer(metadata(port()))
      }
      requests.push(request)
      serve(request)
    })
  })
  const port = () => (server.address() as AddressInfo).port
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${port()}`,
    requests,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const eachFrame = (socket: Socket, take: (frame: Buffer) => void): void => {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      take(rest.subarray(4, end))
      rest = rest.subarray(end)
    }
  })
}

const apiVersions = (): Buffer => {
  const versions = [
    [API_VERSIONS, 0, 2],
    [METADATA, 0, 1],
  ]
  const out = new ByteWriter().int16(0)
  out.array(versions, ([key = 0, min = 0, max = 0]) => out.int16(key).int16(min).int16(max))
  return out.int32(0).done()
}

const metadata = (port: number): Buffer => {
  const out = new ByteWriter()
  out.array([port], (one) => out.int32(1).string('127.0.0.1').int32(one).string(null))
  return out.int32(1).int32(0).done()
}
