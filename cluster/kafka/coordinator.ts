/**
 * Calls to the coordinator of one transactional id: found, called, and called again until it answers with success,
 * with an error that repeating does not cure, or the deadline has passed.
 * Law: whatever goes through here may be repeated, because its second answer is that of the first.
 */
import { CODE, codeName, isCoordinatorMoved, isFenced, isForbidden } from './codes.ts'
import { pause } from './failures.ts'
import type { TransactResult } from './ports.ts'
import { findCoordinatorRequest } from './requests/metadata.ts'
import type { RawRequest, Throttled } from './seam.ts'
import type { Topology } from './topology.ts'

export type Failure = Exclude<TransactResult, { readonly result: 'committed' | 'refused' }>

export interface Terms {
  /** Epoch ms. */
  readonly deadline: number
  /** Asked before every call; where it says false nothing goes out. */
  readonly allowed?: () => boolean
  /** Codes that are an answer, not a failure. */
  readonly passed?: readonly number[]
}

const CONCURRENT_PAUSE_MS = 1
const AGAIN_PAUSE_MS = 50

export class Coordinator {
  /** Times that the transaction before had not ended yet. */
  concurrentRetries = 0
  /** Calls without an answer: any of them may still arrive, however late. */
  lost = 0
  readonly #topology: Topology
  readonly #transactionalId: string
  readonly #requestTimeout: number
  #nodeId: number | undefined
  /** Who may not use the transactional id may not even ask who coordinates it. */
  #refused: number | undefined

  constructor(topology: Topology, transactionalId: string, requestTimeout: number) {
    this.#topology = topology
    this.#transactionalId = transactionalId
    this.#requestTimeout = requestTimeout
  }

  async call<T extends Throttled>(
    request: RawRequest<T>,
    codeOf: (reply: T) => number,
    { deadline, allowed = () => true, passed = [] }: Terms,
  ): Promise<T | Failure> {
    while (Date.now() < deadline) {
      if (!allowed()) return { result: 'unclear', reason: 'the own lease is not fresh' }
      const reply = await this.#ask(request, deadline)
      if (this.#refused !== undefined) return failureOf(request.name, this.#refused)
      if (reply === undefined) continue
      const code = codeOf(reply)
      if (code === CODE.none || passed.includes(code)) return reply
      if (code === CODE.concurrentTransactions) {
        this.concurrentRetries++
        await pause(CONCURRENT_PAUSE_MS)
      } else if (isCoordinatorMoved(code)) await this.#forget()
      else return failureOf(request.name, code)
    }
    return { result: 'unclear', reason: `${request.name} was not answered before the deadline` }
  }

  /** Undefined where the call was lost or nobody coordinates yet. */
  async #ask<T extends Throttled>(request: RawRequest<T>, deadline: number): Promise<T | undefined> {
    const { connections } = this.#topology
    try {
      this.#nodeId ??= await this.#find(deadline)
      if (this.#nodeId !== undefined)
        return await connections.call(this.#nodeId, { ...request, timeout: this.#timeLeft(deadline) })
    } catch {
      this.lost++
      if (this.#nodeId !== undefined) connections.drop(this.#nodeId)
    }
    await this.#forget()
    return undefined
  }

  #timeLeft(deadline: number): number {
    return Math.max(1, Math.min(this.#requestTimeout, deadline - Date.now()))
  }

  async #find(deadline: number): Promise<number | undefined> {
    const request = findCoordinatorRequest(this.#transactionalId, 'transaction')
    const { connections } = this.#topology
    for (const nodeId of this.#topology.nodeIds()) {
      const timeout = this.#timeLeft(deadline)
      const reply = await connections.call(nodeId, { ...request, timeout }).catch(() => undefined)
      this.#refused = reply !== undefined && isForbidden(reply.code) ? reply.code : undefined
      if (this.#refused !== undefined) return undefined
      if (reply?.code === CODE.none) return reply.nodeId
    }
    await connections.refresh(this.#timeLeft(deadline)).catch(() => undefined)
    return undefined
  }

  async #forget(): Promise<void> {
    this.#nodeId = undefined
    await pause(AGAIN_PAUSE_MS)
  }
}

const failureOf = (name: string, code: number): Failure => {
  if (isFenced(code)) return { result: 'fenced', code }
  if (isForbidden(code)) return { result: 'halted', code, detail: `${name}: ${codeName(code)}` }
  return { result: 'unclear', reason: `${name}: ${codeName(code)}` }
}
