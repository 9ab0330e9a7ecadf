/** Kafka's framing: 4 bytes of size, then as many bytes. */
import type { Socket } from 'node:net'

const SIZE_BYTES = 4

/** Calls `take` with each whole frame, its size included. */
export const onFrames = (socket: Socket, take: (frame: Buffer) => void): void => {
  let chunks: Buffer[] = []
  let length = 0
  socket.on('data', (chunk) => {
    chunks.push(chunk)
    length += chunk.length
    // A large frame comes in many chunks: they are joined only when it is whole.
    const first = chunks[0]
    if (first !== undefined && first.length >= SIZE_BYTES && length < SIZE_BYTES + first.readInt32BE(0))
      return
    let rest = chunks.length === 1 ? chunk : Buffer.concat(chunks)
    while (rest.length >= SIZE_BYTES && rest.length >= SIZE_BYTES + rest.readInt32BE(0)) {
      const size = SIZE_BYTES + rest.readInt32BE(0)
      take(rest.subarray(0, size))
      rest = rest.subarray(size)
    }
    chunks = rest.length === 0 ? [] : [rest]
    length = rest.length
  })
}
