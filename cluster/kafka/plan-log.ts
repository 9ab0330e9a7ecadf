/**
 * The plan log in Kafka: topic `millrace.cluster`, one partition, key `plan/<pipeline>`, written in transactions under
 * one transactional id, so that a deposed leader is fenced by the broker; read read_committed.
 * A record that is malformed or of another protocol version is told once and skipped.
 */
import { MillraceError, messageOf } from '../errors.ts'
import { type FlushOrder, isOrderKey, parseFlush } from '../protocol/orders.ts'
import { type PlanRecord, PROTOCOL_VERSION } from '../protocol/plan.ts'
import type { Appended, PlanLog, PlanSource } from '../protocol/plan-log.ts'
import { parsePlan } from '../protocol/report.ts'
import type { RecordCursor } from './codec/decode.ts'
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
}

const KEY = /^plan\/(.+)$/
const AGAIN_MS = 500

export const kafkaPlanSource = ({ topology, topic, notice }: PlanTopic): PlanSource => {
  const told = new Set<number>()
  const planAt = (cursor: RecordCursor): PlanRecord | undefined => {
    const key = textAt(cursor, cursor.keyStart, cursor.keyEnd) ?? ''
    const value = textAt(cursor, cursor.valueStart, cursor.valueEnd)
    const pipeline = KEY.exec(key)?.[1]
    if (pipeline === undefined || value === undefined) return undefined
    const plan = parsePlan(value)
    if (plan?.pipeline === pipeline) return plan
    if (!told.has(cursor.offset))
      notice(`${topic}@${cursor.offset} (${key}) is no plan of protocol version ${PROTOCOL_VERSION}: skipped`)
    told.add(cursor.offset)
    return undefined
  }
  const orderAt = (cursor: RecordCursor): FlushOrder | undefined => {
    const key = textAt(cursor, cursor.keyStart, cursor.keyEnd) ?? ''
    const value = textAt(cursor, cursor.valueStart, cursor.valueEnd)
    if (!isOrderKey(key) || value === undefined) return undefined
    const order = parseFlush(key, value)
    if (order === undefined && !told.has(cursor.offset))
      notice(
        `${topic}@${cursor.offset} (${key}) is no order of protocol version ${PROTOCOL_VERSION}: skipped`,
      )
    told.add(cursor.offset)
    return order
  }
  const start = async () => (await topology.offsets(topic, [0])).get(0) ?? 0

  return {
    async latest() {
      const plans = new Map<string, PlanRecord>()
      const to = (await topology.ends(topic, [0])).get(0) ?? 0
      const from = await start()
      if (from >= to) return plans
      await scan(topology, { topic, partition: 0, from, to }, (cursor) => keepNewest(plans, planAt(cursor)))
      return plans
    },
    follow(listener, ordered) {
      const stop = new AbortController()
      const newest = new Map<string, PlanRecord>()
      let failed = ''
      const visit = (cursor: RecordCursor) => {
        const plan = planAt(cursor)
        failed = ''
        if (!stop.signal.aborted && plan !== undefined && keepNewest(newest, plan)) listener(plan)
        const order = ordered && orderAt(cursor)
        if (!stop.signal.aborted && order !== undefined) ordered?.(order)
      }
      const run = async () => {
        while (!stop.signal.aborted) {
          try {
            await scan(topology, { topic, partition: 0, from: await start() }, visit, { signal: stop.signal })
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
      const reply = await writer.transact([partOf(where.topic, plan)])
      return opened(reply.result, 'detail' in reply ? reply.detail : '')
    },
  }
}

/** True where it is newer than what was there. */
const keepNewest = (plans: Map<string, PlanRecord>, plan: PlanRecord | undefined): boolean => {
  if (plan === undefined || plan.epoch <= (plans.get(plan.pipeline)?.epoch ?? -1)) return false
  plans.set(plan.pipeline, plan)
  return true
}

const textAt = (cursor: RecordCursor, start: number, end: number): string | undefined =>
  start < 0 ? undefined : cursor.bytes.toString('utf8', start, end)

const partOf = (topic: string, plan: PlanRecord): Part => {
  const record = { timestamp: Date.now(), key: `plan/${plan.pipeline}`, value: JSON.stringify(plan) }
  const batch = encodeBatch([record])
  if (batch === undefined) throw new MillraceError('internal', 'an empty batch of plans')
  return { topic, partition: 0, bytes: batch.bytes, records: batch.count }
}
