/** InitProducerId v4, AddPartitionsToTxn v2, Produce v8, EndTxn v2: one transaction, step by step; DescribeTransactions v0. */
import { ByteReader, ByteWriter } from '../bytes.ts'
import { CODE } from '../codes.ts'
import type { RawRequest, Throttled } from '../seam.ts'

export interface Producer {
  readonly producerId: number
  readonly epoch: number
}
export const NO_PRODUCER: Producer = { producerId: -1, epoch: -1 }

/** With NO_PRODUCER it fences whoever holds the id; with the own producer it bumps the own epoch and refuses a zombie (90). */
export const initProducerIdRequest = (
  transactionalId: string,
  timeout: number,
  own: Producer,
): RawRequest<Throttled & { code: number; producer: Producer }> => ({
  apiKey: 22,
  apiVersion: 4,
  name: 'InitProducerId',
  body: new ByteWriter()
    .tags()
    .compactString(transactionalId)
    .int32(timeout)
    .int64(own.producerId)
    .int16(own.epoch)
    .tags()
    .segments(),
  decode: (payload) => {
    const reply = new ByteReader(payload)
    reply.tags()
    return {
      throttleMs: reply.int32(),
      code: reply.int16(),
      producer: { producerId: reply.int64(), epoch: reply.int16() },
    }
  },
})

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

const byTopic = <T extends TopicPartition>(items: readonly T[]): [string, T[]][] => [
  ...Map.groupBy(items, (item) => item.topic),
]

export const addPartitionsRequest = (
  transactionalId: string,
  producer: Producer,
  partitions: readonly TopicPartition[],
): RawRequest<Throttled & { codes: number[] }> => {
  const out = new ByteWriter().string(transactionalId).int64(producer.producerId).int16(producer.epoch)
  out.array(byTopic(partitions), ([topic, members]) => {
    out.string(topic).array(members, (member) => out.int32(member.partition))
  })
  return {
    apiKey: 24,
    apiVersion: 2,
    name: 'AddPartitionsToTxn',
    body: out.segments(),
    decode: (payload) => {
      const reply = new ByteReader(payload)
      const throttleMs = reply.int32()
      const codes = reply.array(() => {
        reply.string()
        return reply.array(() => {
          reply.int32()
          return reply.int16()
        })
      })
      return { throttleMs, codes: codes.flat() }
    },
  }
}

export interface ProduceBatch extends TopicPartition {
  readonly bytes: Uint8Array
}
export interface Produced extends TopicPartition {
  readonly code: number
  readonly baseOffset: number
  readonly recordIndexes: readonly number[]
  readonly detail: string
}

/** At most one batch a partition: a broker refuses more. acks=all. */
export const produceRequest = (
  transactionalId: string,
  batches: readonly ProduceBatch[],
  timeout: number,
): RawRequest<Throttled & { produced: Produced[] }> => {
  const out = new ByteWriter().string(transactionalId).int16(-1).int32(timeout)
  out.array(byTopic(batches), ([topic, members]) => {
    out.string(topic).array(members, (member) => out.int32(member.partition).bytes(member.bytes))
  })
  return { apiKey: 0, apiVersion: 8, name: 'Produce', body: out.segments(), decode: decodeProduce }
}

const decodeProduce = (payload: Buffer): Throttled & { produced: Produced[] } => {
  const reply = new ByteReader(payload)
  const produced = reply.array(() => {
    const topic = reply.string() ?? ''
    return reply.array(() => {
      const head = { topic, partition: reply.int32(), code: reply.int16(), baseOffset: reply.int64() }
      reply.int64()
      reply.int64()
      const errors = reply.array(() => ({ index: reply.int32(), detail: reply.string() }))
      const detail = reply.string() ?? errors[0]?.detail ?? ''
      return { ...head, recordIndexes: errors.map((error) => error.index), detail }
    })
  })
  return { produced: produced.flat(), throttleMs: reply.int32() }
}

export const endTransactionRequest = (
  transactionalId: string,
  producer: Producer,
  commit: boolean,
): RawRequest<Throttled & { code: number }> => ({
  apiKey: 26,
  apiVersion: 2,
  name: 'EndTxn',
  body: new ByteWriter()
    .string(transactionalId)
    .int64(producer.producerId)
    .int16(producer.epoch)
    .bool(commit)
    .segments(),
  decode: (payload) => {
    const reply = new ByteReader(payload)
    return { throttleMs: reply.int32(), code: reply.int16() }
  },
})

/** Looks only. States: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort and a few on their way. */
export const describeTransactionRequest = (
  transactionalId: string,
): RawRequest<Throttled & { code: number; state: string }> => ({
  apiKey: 65,
  apiVersion: 0,
  name: 'DescribeTransactions',
  body: new ByteWriter()
    .tags()
    .compactArray([transactionalId], () => undefined)
    .compactString(transactionalId)
    .tags()
    .segments(),
  decode: (payload) => {
    const reply = new ByteReader(payload)
    reply.tags()
    const throttleMs = reply.int32()
    const [found] = reply.compactArray(() => {
      const code = reply.int16()
      reply.compactString()
      const state = reply.compactString() ?? ''
      reply.int32()
      reply.int64()
      reply.int64()
      reply.int16()
      reply.compactArray(() => {
        reply.compactString()
        reply.compactArray(() => reply.int32())
        reply.tags()
      })
      reply.tags()
      return { code, state }
    })
    return { throttleMs, code: found?.code ?? CODE.transactionalIdNotFound, state: found?.state ?? '' }
  },
})
