/** Whether a service answers: a real request and its real answer, never only an open port. */
import { connect } from 'node:net'

const TIMEOUT_MS = 2000

/** One request over a fresh connection; undefined where no whole reply comes in time. */
const exchange = (
  address: { readonly host: string; readonly port: number },
  request: Buffer,
  isWhole: (reply: Buffer) => boolean,
): Promise<Buffer | undefined> =>
  new Promise((resolve) => {
    const socket = connect(address)
    let reply = Buffer.alloc(0)
    const end = (answer: Buffer | undefined) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(TIMEOUT_MS, () => end(undefined))
    socket.once('error', () => end(undefined))
    socket.once('end', () => end(undefined))
    socket.once('connect', () => socket.write(request))
    socket.on('data', (chunk) => {
      reply = Buffer.concat([reply, chunk])
      if (isWhole(reply)) end(reply)
    })
  })

export const splitAddress = (address: string): { readonly host: string; readonly port: number } => {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

/** PONG, and not LOADING while the append-only file is replayed. A server that wants a password does answer. */
export const redisAnswers = async (url: string): Promise<boolean> => {
  const { hostname, port } = new URL(url)
  const reply = await exchange(
    { host: hostname, port: Number(port || 6379) },
    Buffer.from('PING\r\n'),
    (bytes) => bytes.includes('\r\n'),
  )
  return reply !== undefined && /^(\+PONG|-NOAUTH)/.test(reply.toString('latin1'))
}

const METADATA = 3
const SIZE_BYTES = 4
const HEADER_BYTES = SIZE_BYTES + 4

/** Metadata v1 without topics. By hand, because a client would go on to the advertised address, which may be a proxy to come. */
const metadataRequest = (): Buffer => {
  const request = Buffer.alloc(SIZE_BYTES + 14)
  request.writeInt32BE(request.length - SIZE_BYTES, 0)
  request.writeInt16BE(METADATA, 4)
  request.writeInt16BE(1, 6)
  request.writeInt32BE(1, 8)
  request.writeInt16BE(-1, 12)
  request.writeInt32BE(0, 14)
  return request
}

/** The cluster behind this broker counts at least so many brokers that are registered and unfenced. */
export const kafkaAnswers = async (address: string, brokers: number): Promise<boolean> => {
  const reply = await exchange(
    splitAddress(address),
    metadataRequest(),
    (bytes) => bytes.length >= SIZE_BYTES && bytes.length >= SIZE_BYTES + bytes.readInt32BE(0),
  )
  return reply !== undefined && reply.length >= HEADER_BYTES + 4 && reply.readInt32BE(HEADER_BYTES) >= brokers
}
