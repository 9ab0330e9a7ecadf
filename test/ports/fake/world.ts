/** The world of the suite on the fake. */
import { type Clock, sleep } from '../../../cluster/actor/clock.ts'
import { stamp } from '../../../cluster/kafka/codec/stamp.ts'
import { CODE } from '../../../cluster/kafka/codes.ts'
import { NO_PRODUCER } from '../../../cluster/kafka/requests/transactions.ts'
import type { OpenTransaction, World } from '../world.ts'
import { FakeKafka } from './kafka.ts'
import { FakeReader } from './reader.ts'
import { FakeWriter } from './writer.ts'

export interface FakeWorld extends World {
  readonly kafka: FakeKafka
}

export const fakeWorld = (clock: Clock): FakeWorld => {
  const kafka = new FakeKafka(clock)
  const { faults } = kafka
  const readers: FakeReader[] = []
  return {
    kafka,
    makeTopic: async (topic, options) => kafka.makeTopic(topic, options),
    deleteTopic: async (topic) => kafka.deleteTopic(topic),
    deleteRecords: async (topic, partition, before) => kafka.log(topic, partition).deleteBefore(before),
    decidedEnd: async (topic, partition) => {
      const log = kafka.log(topic, partition)
      while (log.stable < log.end) await sleep(clock, 1)
      return log.end
    },
    writer: async (transactionalId, choice) => new FakeWriter(kafka, transactionalId, choice),
    reader: async (topic) => {
      const reader = new FakeReader(kafka, topic)
      readers.push(reader)
      return reader
    },
    begin: (transactionalId) => rawTransaction(kafka, transactionalId),
    seen: (step) => faults.seen[step],
    loseReply: (step) => faults.loseReply(step),
    holdReply: (step) => faults.holdReply(step),
    freeze: async () => faults.freeze(),
    thaw: () => faults.thaw(),
    close: async () => {
      faults.thaw()
      await Promise.all(readers.map((reader) => reader.stop()))
    },
  }
}

const rawTransaction = async (kafka: FakeKafka, id: string): Promise<OpenTransaction> => {
  const { coordinator, clock } = kafka
  const patiently = async <T extends { code: number }>(ask: () => T): Promise<T> => {
    for (;;) {
      const reply = ask()
      if (reply.code !== CODE.concurrentTransactions) return reply
      await sleep(clock, 1)
    }
  }
  const { producer } = await patiently(() => coordinator.init(id, 30_000, NO_PRODUCER))
  const sequences = new Map<string, number>()
  return {
    produce: async (parts, added = false) => {
      const offsets: number[] = []
      for (const part of parts) {
        const { code } = await patiently(() => ({
          code: added ? CODE.none : coordinator.add(id, producer, [part]),
        }))
        if (code !== CODE.none) throw new Error(`AddPartitionsToTxn: ${code}`)
        const key = `${part.topic}/${part.partition}`
        const sequence = sequences.get(key) ?? 0
        stamp(part.bytes, producer.producerId, producer.epoch, sequence)
        sequences.set(key, sequence + part.records)
        const { leader } = kafka.log(part.topic, part.partition)
        const [produced] = kafka.produce(id, [{ ...part, leader }]).produced
        if (produced?.code !== CODE.none) throw new Error(`Produce: ${produced?.code}`)
        offsets.push(produced.baseOffset)
      }
      return offsets
    },
    end: async (how) => (await patiently(() => ({ code: coordinator.end(id, producer, how) }))).code,
  }
}
