/**
 * The plan log in Kafka: topic `millrace.cluster`, one partition, key `plan/<pipeline>`, written in transactions under
 * one transactional id, so that a deposed leader is fenced by the broker; read read_committed.
 * Told once and skipped: a record that is malformed, of a protocol version that is not read here, or was not written in a
 * transaction; an order that is not newer than all before it. Of a plan whose version is not read the epoch still counts.
 */
import { MillraceError, messageOf } from '../errors.ts'
import { describeUnread, PROTOCOL, type Protocol } from '../protocol/negotiation.ts'
import { isOrderKey, type Order, parseOrder } from '../protocol/orders.ts'
import { isUnread, type PlanRecord, type UnreadPlan } from '../protocol/plan.ts'
import type { Appended, PlanLog, PlanSource } from '../protocol/plan-log.ts'
import { parsePlan, parseUnread } from '../protocol/report.ts'
import type { RecordCursor } from './codec/decode.ts'
import type { BatchHeader } from './codec/header.ts'
import { encodeBatch } from './codec/records.ts'
import { pause } from './failures.ts'
import type { Part, TransactResult, Writer } from './ports.ts'
import { scan } from './scan.ts'
import type { Topology } from './topology.ts'

export interface PlanTopic {
  /** Of the home cluster. */
  readonly topology: Topology
  readonly topic: string
  /** One line for each record that is skipped, and for each reason to begin anew. */
  readonly notice: (line: string) => void
  /** Versions that are read. */
  readonly protocol?: Protocol
}

const KEY = /^plan\/(.+)$/
const AGAIN_MS = 500
/** Who may write under the transactional ids is Kafka's to say; a plain producer is none of them. */
const FORGED = 'was not written in a transaction'

/** What a record of the topic says, where it may be believed; a line for each that may not, once. */
export const believed = ({
  topic,
  notice,
  protocol = PROTOCOL,
}: Pick<PlanTopic, 'topic' | 'notice' | 'protocol'>) => {
  const told = new Set<number>()
  const tell = ({ offset }: RecordCursor, key: string, why: string): void => {
    if (!told.has(offset)) notice(`${topic}@${offset} (${key}) ${why}`)
    told.add(offset)
  }
  const skip = (cursor: RecordCursor, key: string, why: string): undefined =>
    void tell(cursor, key, `${why}: skipped`)
  const planAt = (cursor: RecordCursor, batch: BatchHeader): PlanRecord | UnreadPlan | undefined => {
    const { key, value } = textsOf(cursor)
    const pipeline = KEY.exec(key)?.[1]
    if (pipeline === undefined || value === undefined) return undefined
    if (!batch.transactional) return skip(cursor, key, FORGED)
    const plan = parsePlan(value, protocol) ?? parseUnread(value, protocol)
    if (plan?.pipeline !== pipeline) return skip(cursor, key, 'is no plan')
    if (isUnread(plan)) tell(cursor, key, describeUnread(plan, protocol))
    return plan
  }
  const orderAt = (cursor: RecordCursor, batch: BatchHeader, newest: number): Order | undefined => {
    const { key, value } = textsOf(cursor)
    if (!isOrderKey(key) || value === undefined) return undefined
    if (!batch.transactional) return skip(cursor, key, FORGED)
    const order = parseOrder(key, value)
    if (order === undefined) return skip(cursor, key, 'is no order of a version that is read here')
    if (order.epoch > newest) return order
    return skip(cursor, key, `has epoch ${order.epoch}, and ${newest} was given before`)
  }
  return { planAt, orderAt }
}

export const kafkaPlanSource = (where: PlanTopic): PlanSource => {
  const { topology, topic, notice } = where
  const { planAt, orderAt } = believed(where)
  return {
    async latest() {
      const plans = new Map<string, PlanRecord | UnreadPlan>()
      await scanAll(topology, topic, (cursor, batch) => keepNewest(plans, planAt(cursor, batch)))
      return plans
    },
    follow(listener, ordered) {
      const stop = new AbortController()
      const newest = new Map<string, PlanRecord | UnreadPlan>()
      let failed = ''
      let newestOrder = 0
      const visit = (cursor: RecordCursor, batch: BatchHeader) => {
        const plan = planAt(cursor, batch)
        failed = ''
        if (!stop.signal.aborted && plan !== undefined && keepNewest(newest, plan)) listener(plan)
        const order = ordered && orderAt(cursor, batch, newestOrder)
        if (stop.signal.aborted || order === undefined) return
        newestOrder = order.epoch
        ordered?.(order)
      }
      const run = async () => {
        while (!stop.signal.aborted) {
          try {
            newestOrder = 0
            const from = await startOf(topology, topic)
            await scan(topology, { topic, partition: 0, from }, visit, { signal: stop.signal })
          } catch (error) {
            const reason = messageOf(error)
            if (reason !== failed) notice(`following ${topic} begins anew: ${reason}`)
            failed = reason
            await pause(AGAIN_MS, stop.signal)
          }
        }
      }
      void run()
      return () => stop.abort()
    },
  }
}

export const kafkaPlanLog = (where: PlanTopic, writer: Writer): PlanLog => {
  let open = false
  const opened = (result: TransactResult['result'] | 'open', detail: string): Appended => {
    open = result === 'open' || result === 'committed'
    if (result === 'halted' || result === 'refused')
      throw new MillraceError('kafka-auth', `Kafka refuses to write ${where.topic}: ${detail}`)
    return open ? 'ok' : result === 'fenced' ? 'fenced' : 'unclear'
  }
  return {
    ...kafkaPlanSource(where),
    async open() {
      const reply = await writer.fence()
      return opened(reply.result, 'detail' in reply ? reply.detail : '')
    },
    async append(plan) {
      if (!open) {
        const reply = await writer.reopen()
        const again = opened(reply.result, 'detail' in reply ? reply.detail : '')
        if (again !== 'ok') return again
      }
      const reply = await writer.transact([partOf(where.topic, `plan/${plan.pipeline}`, plan)])
      return opened(reply.result, 'detail' in reply ? reply.detail : '')
    },
  }
}

/** True where it is newer than what was there. */
const keepNewest = (
  plans: Map<string, PlanRecord | UnreadPlan>,
  plan: PlanRecord | UnreadPlan | undefined,
): boolean => {
  if (plan === undefined || plan.epoch <= (plans.get(plan.pipeline)?.epoch ?? -1)) return false
  plans.set(plan.pipeline, plan)
  return true
}

const startOf = async (topology: Topology, topic: string): Promise<number> =>
  (await topology.offsets(topic, [0])).get(0) ?? 0

/** Also what stands behind a transaction that is still open, once that has ended. */
export const scanAll = async (
  topology: Topology,
  topic: string,
  visit: (cursor: RecordCursor, batch: BatchHeader) => void,
): Promise<void> => {
  const to = (await topology.written(topic, [0])).get(0) ?? 0
  const from = await startOf(topology, topic)
  if (from < to) await scan(topology, { topic, partition: 0, from, to }, visit)
}

/** 0 before the first. What was forged counts for nothing. */
export const newestOrderEpoch = async ({
  topology,
  topic,
}: Pick<PlanTopic, 'topology' | 'topic'>): Promise<number> => {
  let newest = 0
  await scanAll(topology, topic, (cursor, batch) => {
    const { key, value } = textsOf(cursor)
    if (!batch.transactional || value === undefined) return
    const epoch = isOrderKey(key) ? parseOrder(key, value)?.epoch : parsePlan(value)?.orders?.seen
    newest = Math.max(newest, epoch ?? 0)
  })
  return newest
}

const textsOf = (cursor: RecordCursor) => ({
  key: textAt(cursor, cursor.keyStart, cursor.keyEnd) ?? '',
  value: textAt(cursor, cursor.valueStart, cursor.valueEnd),
})

const textAt = (cursor: RecordCursor, start: number, end: number): string | undefined =>
  start < 0 ? undefined : cursor.bytes.toString('utf8', start, end)

/** One record of the cluster topic. */
export const partOf = (topic: string, key: string, value: PlanRecord | Order): Part => {
  const batch = encodeBatch([{ timestamp: Date.now(), key, value: JSON.stringify(value) }])
  if (batch === undefined) throw new MillraceError('internal', 'an empty batch')
  return { topic, partition: 0, bytes: batch.bytes, records: batch.count }
}
