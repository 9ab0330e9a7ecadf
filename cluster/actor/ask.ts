/** Questions that wait for their answer: each ends by its reply, its deadline, or the end of whoever was asked. */
import { MillraceError } from '../errors.ts'
import type { Clock } from './clock.ts'

export interface Asks {
  open<R>(deadlineMs: number, send: (reply: (value: R) => void) => void): Promise<R>
  /** The one asked has ended: whatever waits is refused. */
  refuseAll(): void
}

export const asksOf = (name: string, clock: Clock): Asks => {
  const waiting = new Set<() => void>()
  return {
    open<R>(deadlineMs: number, send: (reply: (value: R) => void) => void): Promise<R> {
      const answer = Promise.withResolvers<R>()
      const settle = () => {
        cancel()
        waiting.delete(refuse)
      }
      const fail = (detail: string) => {
        settle()
        answer.reject(new MillraceError('timeout', `${name} ${detail}`))
      }
      const refuse = () => fail('ended before it answered')
      const cancel = clock.after(deadlineMs, () => fail(`did not answer within ${deadlineMs} ms`), 'holds')
      waiting.add(refuse)
      send((value) => {
        settle()
        answer.resolve(value)
      })
      return answer.promise
    },
    refuseAll() {
      for (const refuse of waiting) refuse()
    },
  }
}
