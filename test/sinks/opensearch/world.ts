/** A topic of logins, an index for it, and the sink as a command of its own. */
import { type Admin, Kafka, logLevel, type Transaction } from 'kafkajs'
import { settingsEnv } from '../../../cli/settings-env.ts'
import { tail } from '../../../cli/tail.ts'
import { createInput } from '../../../cluster/kafka/admin.ts'
import { HEADER } from '../../../cluster/protocol/headers.ts'
import { sinkNamesOf } from '../../../cluster/protocol/names.ts'
import { readSettings, type Settings } from '../../../cluster/settings.ts'
import { Running, until } from '../../support/cluster.ts'
import { uniqueName } from '../../support/services.ts'

export interface SinkLetter {
  readonly key: string | null
  readonly value: string | null
  readonly code: string
  readonly reason: string
  /** `topic/partition/offset` */
  readonly origin: string
}

const PARTITIONS = 4

export const login = (n: number, more: object = {}): string =>
  JSON.stringify({
    user_id: `user-${n}`,
    device_type: ['ios', 'android', 'web'][n % 3],
    locale: ['de', 'en', 'fr', 'it', 'pl'][n % 5],
    timestamp: new Date(Date.now() - (n % 600) * 1000).toISOString().replace(/\.\d+Z$/, '+0000'),
    ...more,
  })

export class SinkWorld implements AsyncDisposable {
  readonly kafka: Kafka
  readonly topic = uniqueName('outputs')
  readonly index = uniqueName('index')
  readonly names = sinkNamesOf(this.topic, this.index)
  readonly brokers: readonly string[]
  readonly #stack = new AsyncDisposableStack()

  private constructor(brokers: readonly string[]) {
    this.brokers = brokers
    this.kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  }

  static async open(brokers: readonly string[]): Promise<SinkWorld> {
    const world = new SinkWorld(brokers)
    await world.#withAdmin((admin) =>
      createInput(admin, world.topic, readSettings({}, { partitions: PARTITIONS })),
    )
    return world
  }

  /** In transactions of `size`; after each committed one an aborted one of as many. @returns the ids that must be there */
  async produce(values: readonly (string | null)[], size: number): Promise<readonly string[]> {
    const producer = this.kafka.producer({
      transactionalId: uniqueName('producer'),
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { initialRetryTime: 10, retries: 10 },
    })
    await producer.connect()
    const ids: string[] = []
    for (let at = 0; at < values.length; at += size) {
      const part = values.slice(at, at + size)
      const kept = await producer.transaction()
      ids.push(...(await this.#send(kept, part, at / size)))
      await kept.commit()
      const lost = await producer.transaction()
      await this.#send(lost, part, at / size)
      await lost.abort()
    }
    await producer.disconnect()
    return ids.sort()
  }

  async #send(transaction: Transaction, values: readonly (string | null)[], turn: number): Promise<string[]> {
    const partition = turn % PARTITIONS
    const messages = values.map((value, n) => ({ partition, key: String(n), value }))
    const [sent] = await transaction.send({ topic: this.topic, messages })
    const base = Number(sent?.baseOffset)
    return values.map((_, n) => `${this.topic}-${partition}-${base + n}`)
  }

  /** Sum of the offsets of the sink's group. */
  async committed(): Promise<number> {
    const groupId = this.names.group
    const found = await this.#withAdmin((admin) => admin.fetchOffsets({ groupId, topics: [this.topic] }))
    return (found[0]?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
  }

  /** The topic is deleted, and another of its name made. */
  async recreate(): Promise<void> {
    await this.#withAdmin(async (admin) => {
      await admin.deleteTopics({ topics: [this.topic] })
      await until('the topic is gone', 60_000, async () => !(await admin.listTopics()).includes(this.topic))
      await createInput(admin, this.topic, readSettings({}, { partitions: PARTITIONS }))
    })
  }

  /** Every committed dead letter. */
  async letters(): Promise<readonly SinkLetter[]> {
    const letters: SinkLetter[] = []
    const settings = readSettings({}, { kafkaBrokers: this.brokers })
    const source = { topic: this.names.deadLetters, which: 'home' } as const
    const { signal } = new AbortController()
    const toTheEnd = {
      from: { at: 'beginning' },
      most: Number.POSITIVE_INFINITY,
      follow: false,
      signal,
    } as const
    await tail(settings, source, toTheEnd, ({ key, value, headers }) => {
      const header = (name: string) => headers.find(([one]) => one === name)?.[1]?.toString() ?? ''
      letters.push({
        key: key?.toString() ?? null,
        value: value?.toString() ?? null,
        code: header(HEADER.errorCode),
        reason: header(HEADER.errorMessage),
        origin: header(HEADER.origin),
      })
    })
    return letters
  }

  async #withAdmin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.kafka.admin()
    await admin.connect()
    try {
      return await use(admin)
    } finally {
      await admin.disconnect()
    }
  }

  /** `millrace sink opensearch` with this world's names. */
  sink(url: string, args: readonly string[] = [], settings: Partial<Settings> = {}): Running {
    const given = { kafkaBrokers: this.brokers, opensearchUrl: [url], logFormat: 'pretty' } as const
    const env = settingsEnv({ ...given, ...settings })
    const words = ['sink', 'opensearch', '--topic', this.topic, '--index', this.index, '--replicas', '0']
    return this.#stack.use(new Running([...words, ...args], env))
  }

  /** To the end; its exit code and all it said. */
  async drained(url: string, args: readonly string[] = [], settings: Partial<Settings> = {}) {
    const running = this.sink(url, ['--until-end', '-o', 'json', ...args], settings)
    const code = await running.exited
    return { code, lines: running.lines }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
