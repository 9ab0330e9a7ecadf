/**
 * What can go wrong between a client and the fake broker, on order: a reply lost (its work done), held, delayed, a request
 * refused, the broker frozen. Every rule serves once, in the order of its making.
 */
import { type Clock, sleep } from '../../../cluster/actor/clock.ts'
import type { Held, Step } from '../world.ts'

export interface Reply {
  readonly code: number
}

type Rule =
  | { readonly what: 'lose' | 'hold'; readonly met: () => void; readonly until: Promise<void> }
  | { readonly what: 'refuse'; readonly code: number }
  | { readonly what: 'delay'; readonly ms: number }

export class Faults {
  readonly seen: Record<Step, number> = { init: 0, add: 0, produce: 0, end: 0, fetch: 0 }
  readonly #clock: Clock
  readonly #rules = new Map<Step, Rule[]>()
  #frozen: PromiseWithResolvers<void> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when a reply of that kind was lost. */
  loseReply(step: Step): Promise<void> {
    const met = Promise.withResolvers<void>()
    this.#order(step, { what: 'lose', met: met.resolve, until: Promise.resolve() })
    return met.promise
  }
  holdReply(step: Step): Held {
    const met = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    this.#order(step, { what: 'hold', met: met.resolve, until: released.promise })
    return { held: met.promise, release: released.resolve }
  }
  refuse(step: Step, code: number): void {
    this.#order(step, { what: 'refuse', code })
  }
  /** The request reaches the broker so much later. */
  delay(step: Step, ms: number): void {
    this.#order(step, { what: 'delay', ms })
  }
  freeze(): void {
    this.#frozen ??= Promise.withResolvers<void>()
  }
  thaw(): void {
    this.#frozen?.resolve()
    this.#frozen = undefined
  }

  #order(step: Step, rule: Rule): void {
    this.#rules.set(step, [...(this.#rules.get(step) ?? []), rule])
  }

  /**
   * One request: `work` is what the broker does, at the moment it gets to it, also when nobody waits any more.
   * @returns its reply; undefined where it was lost or did not come in time
   */
  call<T extends Reply>(step: Step, timeoutMs: number, work: () => T, refused: (code: number) => T) {
    this.seen[step]++
    const answer = Promise.withResolvers<T | undefined>()
    const cancel = this.#clock.after(timeoutMs, () => answer.resolve(undefined), 'holds')
    void this.#serve(step, work, refused).then((reply) => {
      cancel()
      answer.resolve(reply)
    }, answer.reject)
    return answer.promise
  }

  async #serve<T>(step: Step, work: () => T, refused: (code: number) => T): Promise<T | undefined> {
    const rule = this.#rules.get(step)?.shift()
    if (rule?.what === 'delay') await sleep(this.#clock, rule.ms)
    while (this.#frozen !== undefined) await this.#frozen.promise
    const reply = rule?.what === 'refuse' ? refused(rule.code) : work()
    if (rule?.what !== 'lose' && rule?.what !== 'hold') return reply
    rule.met()
    await rule.until
    return rule.what === 'lose' ? undefined : reply
  }
}
