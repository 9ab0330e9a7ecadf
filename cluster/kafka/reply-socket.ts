/**
 * The sockets under kafkajs's connections: they hand over whole replies only. A reply of megabytes is read by the kernel
 * straight into the one buffer it will stay in; as chunks of 64 KiB it would be copied once more, and their garbage cost
 * the main thread more time than all its other work.
 */
import { connect, isIP, type OnReadOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** `tls.connect` documents it, its types leave it out. */
type ReadingOptions = ConnectionOptions & { readonly onread: OnReadOpts }

const SIZE_BYTES = 4
const SCRATCH_BYTES = 64 * 1024
/** A size beyond it is no Kafka: nothing that Millrace asks for is near. */
const MOST_BYTES = 1024 ** 3
const KEEP_ALIVE_MS = 60_000

/**
 * Cuts a stream of bytes into replies (int32 size, then as many bytes). `room()` is where the next bytes are to be put,
 * `filled(n)` says how many came; whole replies, size included, go to `emit`.
 */
export class ReplyAssembler {
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  readonly #emit: (reply: Buffer) => void
  /** Bytes in the scratch that begin a reply of yet unknown size. */
  #kept = 0
  /** A reply under way, and how much of it is there. */
  #reply: Buffer | undefined
  #there = 0

  constructor(emit: (reply: Buffer) => void) {
    this.#emit = emit
  }

  room(): Buffer {
    return this.#reply === undefined ? this.#scratch.subarray(this.#kept) : this.#reply.subarray(this.#there)
  }

  /** @throws RangeError where the size is none of a reply */
  filled(bytes: number): void {
    if (this.#reply === undefined) this.#cut(this.#kept + bytes)
    else {
      this.#there += bytes
      this.#emitWhole()
    }
  }

  #cut(end: number): void {
    let at = 0
    while (end - at >= SIZE_BYTES && this.#reply === undefined) {
      const size = SIZE_BYTES + this.#scratch.readInt32BE(at)
      if (size < SIZE_BYTES || size > MOST_BYTES) throw new RangeError(`a reply of ${size} bytes`)
      this.#reply = Buffer.allocUnsafeSlow(size)
      this.#there = this.#scratch.copy(this.#reply, 0, at, Math.min(end, at + size))
      at += this.#there
      this.#emitWhole()
    }
    this.#scratch.copyWithin(0, at, end)
    this.#kept = end - at
  }

  #emitWhole(): void {
    const reply = this.#reply
    if (reply === undefined || this.#there < reply.length) return
    this.#reply = undefined
    this.#there = 0
    this.#emit(reply)
  }
}

export interface SocketRequest {
  readonly host: string
  readonly port: number
  readonly ssl?: ConnectionOptions | boolean
  readonly onConnect: () => void
}

/** kafkajs listens to `data`. */
export const replySocket = ({ host, port, ssl, onConnect }: SocketRequest): Socket => {
  const assembler = new ReplyAssembler((reply) => socket.emit('data', reply))
  const onread: OnReadOpts = {
    buffer: () => assembler.room(),
    callback: (bytes) => {
      try {
        assembler.filled(bytes)
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)))
      }
      return true
    },
  }
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const tls = typeof ssl === 'object' ? ssl : {}
  const secure: ReadingOptions = { host, port, ...servername, ...tls, onread }
  const socket: Socket = ssl ? connectTls(secure, onConnect) : connect({ host, port, onread }, onConnect)
  return socket.setKeepAlive(true, KEEP_ALIVE_MS)
}
