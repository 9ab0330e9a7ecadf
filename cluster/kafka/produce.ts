/**
 * The Produce step of a transaction: every batch to its leader, identical bytes again where the reply was lost or the
 * leader moved (P3.4 a), and the code of every partition in every reply read (P3.3).
 */
import { CODE, codeName, isFenced, isForbidden, isProduceRetriable, isUnwritable } from './codes.ts'
import { pause, untilDeadline } from './failures.ts'
import type { Part, TransactResult } from './ports.ts'
import { type Produced, produceRequest } from './requests/transactions.ts'
import type { Topology } from './topology.ts'

export interface ProduceContext {
  readonly topology: Topology
  readonly transactionalId: string
  /** Epoch ms after which the outcome is unclear. */
  readonly deadline: number
  /** Epoch ms until which a leader may not know a young topic yet. */
  readonly unknownUntil: number
  /** ms the broker may take. */
  readonly requestTimeout: number
}

type Failure = Exclude<TransactResult, { readonly result: 'committed' }>
export type ProduceResult = { readonly result: 'produced'; readonly offsets: readonly number[] } | Failure

const RETRY_MS = 20

/** A broker takes one batch a partition and request: the second batch of a partition goes in a second round. */
export const rounds = (parts: readonly Part[]): number[][] => {
  const seen = new Map<string, number>()
  const found: number[][] = []
  for (const [index, part] of parts.entries()) {
    const key = `${part.topic}/${part.partition}`
    const round = seen.get(key) ?? 0
    seen.set(key, round + 1)
    const members = found[round] ?? []
    members.push(index)
    found[round] = members
  }
  return found
}

/** @param parts stamped; their bytes stay untouched until this returns */
export const produceAll = async (parts: readonly Part[], context: ProduceContext): Promise<ProduceResult> => {
  const offsets = new Array<number>(parts.length).fill(-1)
  for (const round of rounds(parts)) {
    const failure = await produceRound(parts, round, offsets, context)
    if (failure !== undefined) return failure
  }
  return { result: 'produced', offsets }
}

const produceRound = async (
  parts: readonly Part[],
  round: readonly number[],
  offsets: number[],
  context: ProduceContext,
): Promise<Failure | undefined> => {
  let left = round
  for (let attempt = 0; left.length > 0; attempt++) {
    if (attempt > 0) await relearn(parts, left, context)
    if (Date.now() >= context.deadline)
      return { result: 'unclear', reason: 'no produce reply before the deadline' }
    const outcomes = await Promise.all(
      byLeader(parts, left, context.topology).map(([leader, members]) =>
        produceTo(leader, parts, members, offsets, context),
      ),
    )
    const failure = outcomes.map((outcome) => outcome.failure).find((one) => one !== undefined)
    if (failure !== undefined) return failure
    left = outcomes.flatMap((outcome) => outcome.again)
  }
  return undefined
}

/** A broker that stands still keeps its answer for longer than there is time. */
const relearn = async (
  parts: readonly Part[],
  left: readonly number[],
  { topology, deadline }: ProduceContext,
): Promise<void> => {
  await pause(RETRY_MS)
  const topics = new Set(left.map((index) => parts[index]?.topic ?? ''))
  await untilDeadline(deadline, topology.refresh(...topics))
}

const byLeader = (
  parts: readonly Part[],
  left: readonly number[],
  topology: Topology,
): [number, number[]][] => [
  ...Map.groupBy(left, (index) => {
    const part = parts[index]
    return (part && topology.known(part.topic, part.partition)?.leader) ?? -1
  }),
]

interface Sent {
  readonly failure?: Failure
  /** Parts to send again. */
  readonly again: readonly number[]
}

const produceTo = async (
  leader: number,
  parts: readonly Part[],
  members: readonly number[],
  offsets: number[],
  context: ProduceContext,
): Promise<Sent> => {
  if (leader === -1) return { again: members }
  const batches = members.flatMap((index) => parts[index] ?? [])
  const timeout = Math.max(1, Math.min(context.requestTimeout, context.deadline - Date.now()))
  const request = { ...produceRequest(context.transactionalId, batches, timeout), timeout }
  let produced: readonly Produced[]
  try {
    produced = (await context.topology.connections.call(leader, request)).produced
  } catch {
    // Lost: the old request may still be under way on this socket, so the socket goes before the same bytes go again.
    context.topology.connections.drop(leader)
    return { again: members }
  }
  return judge(parts, members, produced, offsets, Date.now() < context.unknownUntil)
}

const judge = (
  parts: readonly Part[],
  members: readonly number[],
  produced: readonly Produced[],
  offsets: number[],
  mayBeYoung: boolean,
): Sent => {
  const again: number[] = []
  for (const index of members) {
    const part = parts[index]
    const reply = produced.find((one) => one.topic === part?.topic && one.partition === part?.partition)
    if (reply === undefined)
      return {
        again,
        failure: { result: 'unclear', reason: `the reply leaves out ${part?.topic}/${part?.partition}` },
      }
    if (reply.code === CODE.none) offsets[index] = reply.baseOffset
    else if (isProduceRetriable(reply.code)) again.push(index)
    else if (reply.code === CODE.unknownTopicOrPartition && mayBeYoung) again.push(index)
    else return { again, failure: failureOf(index, reply) }
  }
  return { again }
}

const failureOf = (part: number, reply: Produced): Failure => {
  const { code } = reply
  const detail = `${reply.topic}/${reply.partition}: ${codeName(code)} ${reply.detail}`.trim()
  if (isFenced(code)) return { result: 'fenced', code }
  if (isUnwritable(code)) return { result: 'refused', part, code, detail, recordIndexes: reply.recordIndexes }
  if (isForbidden(code) || code === CODE.unknownTopicOrPartition) return { result: 'halted', code, detail }
  return { result: 'unclear', reason: detail }
}
