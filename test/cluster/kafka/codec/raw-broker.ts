/** Two requests over a plain socket, so that the bytes of a batch reach the test as the broker keeps them: Produce v7, Fetch v11. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { ByteReader, ByteWriter } from '../../../../cluster/kafka/bytes.ts'

const PRODUCE = { key: 0, version: 7 }
const FETCH = { key: 1, version: 11 }
const MAX_BYTES = 2 ** 26

const call = async (
  address: string,
  api: { key: number; version: number },
  body: Buffer,
): Promise<Buffer> => {
  const [host, port] = address.split(':')
  const socket = connect(Number(port), host)
  const head = new ByteWriter().int16(api.key).int16(api.version).int32(1).string('codec-test').done()
  socket.write(new ByteWriter().bytes(Buffer.concat([head, body])).done())
  let reply = Buffer.alloc(0)
  try {
    while (reply.length < 4 || reply.length < 4 + reply.readInt32BE(0)) {
      const [chunk]: Buffer[] = await once(socket, 'data')
      reply = Buffer.concat([reply, chunk ?? Buffer.alloc(0)])
    }
  } finally {
    socket.destroy()
  }
  return reply.subarray(8)
}

/** Appends one batch to partition 0; returns its base offset. */
export const produce = async (address: string, topic: string, batch: Uint8Array): Promise<number> => {
  const body = new ByteWriter(batch.length + 100).string(null).int16(-1).int32(10_000)
  body.int32(1).string(topic).int32(1).int32(0).bytes(batch)
  const reply = new ByteReader(await call(address, PRODUCE, body.done()))
  reply.int32()
  reply.string()
  reply.int32()
  reply.int32()
  const code = reply.int16()
  if (code !== 0) throw new Error(`the broker refuses the batch: error ${code}`)
  return reply.int64()
}

/** What partition 0 holds from `offset` on, as it is stored; the last batch may be cut. */
export const fetch = async (
  address: string,
  topic: string,
  offset: number,
  bytes = MAX_BYTES,
): Promise<Buffer> => {
  const body = new ByteWriter().int32(-1).int32(500).int32(1).int32(bytes).int8(0).int32(0).int32(-1)
  body.int32(1).string(topic).int32(1).int32(0).int32(-1).int64(offset).int64(-1).int32(bytes)
  body.int32(0).string('')
  const reply = new ByteReader(await call(address, FETCH, body.done()))
  reply.int32()
  const code = reply.int16()
  if (code !== 0) throw new Error(`the broker refuses the fetch: error ${code}`)
  reply.int32()
  reply.int32()
  reply.string()
  reply.int32()
  reply.int32()
  const partitionCode = reply.int16()
  if (partitionCode !== 0) throw new Error(`the broker refuses the partition: error ${partitionCode}`)
  reply.int64()
  reply.int64()
  reply.int64()
  reply.array(() => [reply.int64(), reply.int64()])
  reply.int32()
  return reply.slice(Math.max(reply.int32(), 0))
}
