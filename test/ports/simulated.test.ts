/**
 * The broker that whole simulated clusters speak with (test/simulation/broker.ts), under the real reader and the real
 * writer: it passes the suite of real Kafka, so what a simulation shows of them is what Kafka would.
 */
import { once } from 'node:events'
import { sleep, systemClock } from '../../cluster/actor/clock.ts'
import { EventBus } from '../../cluster/events.ts'
import { KafkaReader } from '../../cluster/kafka/reader.ts'
import { Connections, type RawRequest, type Throttled } from '../../cluster/kafka/seam.ts'
import { Topology } from '../../cluster/kafka/topology.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { answer, answerFetch, NODES, readFetch } from '../simulation/broker.ts'
import type { FakeKafka } from './fake/kafka.ts'
import { fakeWorld } from './fake/world.ts'
import { conformance } from './suite.ts'
import type { Step, World } from './world.ts'

const stepOf: Readonly<Record<string, Step>> = {
  InitProducerId: 'init',
  AddPartitionsToTxn: 'add',
  Produce: 'produce',
  EndTxn: 'end',
  Fetch: 'fetch',
}
const TIMEOUT_MS = 5000

class BrokerConnections extends Connections {
  readonly #kafka: FakeKafka
  readonly #timeout: number
  #dropped = Promise.withResolvers<never>()

  constructor(kafka: FakeKafka, timeout = TIMEOUT_MS) {
    super({ brokers: [] })
    this.#kafka = kafka
    this.#timeout = timeout
    this.#dropped.promise.catch(() => undefined)
  }
  override nodeIds(): number[] {
    return [...NODES]
  }
  override async refresh(): Promise<void> {}
  override async close(): Promise<void> {
    this.drop()
  }
  override drop(): void {
    this.#dropped.reject(new Error('dropped'))
    this.#dropped = Promise.withResolvers()
    this.#dropped.promise.catch(() => undefined)
  }

  override async call<T extends Throttled>(node: number, raw: RawRequest<T>): Promise<T> {
    const request = Buffer.concat(raw.body)
    const timeout = Math.min(raw.timeout ?? this.#timeout, this.#timeout)
    const served = this.#serve(node, raw.name, request, timeout)
    return raw.decode(await Promise.race([served, this.#dropped.promise]))
  }

  async #serve(node: number, name: string, request: Buffer, timeout: number): Promise<Buffer> {
    const { faults } = this.#kafka
    const isFetch = name === 'Fetch'
    if (isFetch) await this.#news(request)
    const work = () => ({
      code: 0,
      bytes: isFetch
        ? answerFetch(this.#kafka, node, readFetch(request).wanted)
        : answer(this.#kafka, name, request, node),
    })
    const step = stepOf[name]
    const reply = step === undefined ? work() : await faults.call(step, timeout, work, work)
    if (reply === undefined) throw new Error(`${name} timed out`)
    return reply.bytes
  }

  /** Until there is something to fetch, or the wait is over. */
  async #news(request: Buffer): Promise<void> {
    const { maxWait, wanted } = readFetch(request)
    const over = new AbortController()
    const timer = sleep(systemClock, maxWait, over.signal)
    const hasNews = () =>
      wanted.some(({ topicId, partition, offset }) => {
        const log = this.#kafka.byId(topicId)?.logs[partition]
        return log === undefined || log.stable > offset
      })
    for (let waits = true; waits && !hasNews(); )
      waits = await Promise.race([
        timer.then(() => false),
        once(this.#kafka.signal, 'more', { signal: over.signal }).then(
          () => true,
          () => false,
        ),
      ])
    over.abort()
  }
}

const simulatedWorld = async (): Promise<World> => {
  const world = fakeWorld(systemClock)
  const topology = (timeout?: number) => new Topology(new BrokerConnections(world.kafka, timeout))
  const readers: KafkaReader[] = []
  return {
    ...world,
    writer: async (transactionalId, { transactionTimeout = 20_000, requestTimeout = 5000, mayFence } = {}) =>
      new TransactionWriter(topology(requestTimeout), {
        ...{ transactionalId, transactionTimeout, requestTimeout },
        ...(mayFence && { mayFence }),
      }),
    reader: async (topic) => {
      const own = topology()
      await own.topic(topic)
      const reader = new KafkaReader(own, { topic, fetchBytes: 2 ** 20, fetchWait: 100 }, new EventBus())
      readers.push(reader)
      return reader
    },
    close: async () => {
      world.thaw()
      await Promise.all(readers.map((reader) => reader.stop()))
      await world.close()
    },
  }
}

conformance('the simulated broker', simulatedWorld)
