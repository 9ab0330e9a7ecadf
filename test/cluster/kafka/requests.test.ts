import { describe, expect, test } from 'vitest'
import { fetchRequest } from '../../../cluster/kafka/requests/fetch.ts'
import {
  findCoordinatorRequest,
  listOffsetsRequest,
  metadataRequest,
} from '../../../cluster/kafka/requests/metadata.ts'
import {
  addPartitionsRequest,
  describeTransactionRequest,
  endTransactionRequest,
  initProducerIdRequest,
  NO_PRODUCER,
  produceRequest,
} from '../../../cluster/kafka/requests/transactions.ts'
import * as reply from './replies.ts'
import { topicIdOf } from './scripted.ts'

const own = { producerId: 5, epoch: 3 }
const id = topicIdOf(7)
const records = Buffer.from('these are batches')

const cases = [
  {
    request: fetchRequest([], { maxWait: 0, maxBytes: 1 }),
    payload: reply.fetchReply(
      [
        {
          topicId: id,
          partition: 3,
          stable: 90,
          start: 10,
          aborted: [{ producerId: 9, firstOffset: 70 }],
          records,
        },
        { topicId: id, partition: 4, code: 6 },
      ],
      0,
      12,
    ),
    decoded: {
      throttleMs: 12,
      code: 0,
      partitions: [
        {
          topicId: id,
          partition: 3,
          code: 0,
          lastStableOffset: 90,
          logStartOffset: 10,
          aborted: [{ producerId: 9, firstOffset: 70 }],
          records,
        },
        { partition: 4, code: 6, aborted: [], records: Buffer.alloc(0) },
      ],
    },
  },
  {
    request: metadataRequest(['t']),
    payload: reply.metadataReply([{ topic: 't', topicId: id, leaders: [2, -1, 1] }], [1, 2]),
    decoded: {
      clusterId: 'a cluster',
      brokers: [{ nodeId: 1 }, { nodeId: 2, host: 'localhost', port: 9092 }],
      topics: [
        {
          code: 0,
          topic: 't',
          topicId: id,
          partitions: [
            { partition: 0, leader: 2, leaderEpoch: 7 },
            { partition: 1, leader: -1 },
            { partition: 2, leader: 1, replicas: [1] },
          ],
        },
      ],
    },
  },
  {
    request: listOffsetsRequest('t', []),
    payload: reply.offsetsReply('t', [
      [0, 0, 17],
      [1, 6, -1],
    ]),
    decoded: {
      answers: [
        { partition: 0, code: 0, offset: 17, leaderEpoch: 3 },
        { partition: 1, code: 6, offset: -1 },
      ],
    },
  },
  {
    request: findCoordinatorRequest('id', 'transaction'),
    payload: reply.coordinatorReply(2, 15).subarray(0, 12),
    decoded: { code: 15, nodeId: 2 },
  },
  {
    request: initProducerIdRequest('id', 1000, NO_PRODUCER),
    payload: reply.initReply(2 ** 40, 9),
    decoded: { code: 0, producer: { producerId: 2 ** 40, epoch: 9 } },
  },
  {
    request: addPartitionsRequest('id', own, []),
    payload: reply.addReply('t', [0, 55, 3]),
    decoded: { codes: [0, 55, 3] },
  },
  {
    request: produceRequest('id', [], 1000),
    payload: reply.produceReply([
      { topic: 't', partition: 1, base: 99 },
      { topic: 'u', partition: 0, code: 87, indexes: [2, 5], detail: 'no key' },
    ]),
    decoded: {
      produced: [
        { topic: 't', partition: 1, code: 0, baseOffset: 99, recordIndexes: [] },
        { topic: 'u', partition: 0, code: 87, recordIndexes: [2, 5], detail: 'no key' },
      ],
    },
  },
  {
    request: describeTransactionRequest('id'),
    payload: reply.describeReply('CompleteAbort'),
    decoded: { code: 0, state: 'CompleteAbort' },
  },
  { request: endTransactionRequest('id', own, true), payload: reply.endReply(51), decoded: { code: 51 } },
] as const

describe('replies of a broker', () => {
  for (const { request, payload, decoded } of cases) {
    test(`${request.name} is read field by field`, () => {
      expect(request.decode(payload)).toMatchObject(decoded)
    })

    test(`a ${request.name} reply cut anywhere is a RangeError, never a wrong answer`, () => {
      const whole = request.decode(payload)
      let refused = 0
      for (let size = 0; size < payload.length; size++) {
        try {
          expect(request.decode(payload.subarray(0, size))).toEqual(whole)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
          refused++
        }
      }
      // Only fields that nobody reads may be missing: at most the last few bytes.
      expect(refused).toBeGreaterThanOrEqual(payload.length - 4)
    })
  }
})
