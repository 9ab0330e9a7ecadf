/**
 * The actor: a mailbox and one function.
 *
 * Laws:
 * - one message at a time, in the order they were told; an asynchronous `receive` ends before the next begins;
 * - what `receive` throws ends the actor (its state may be half changed): the parent hears of it through `onFailure`
 *   and decides (see supervise.ts); it is never an unhandled rejection;
 * - `stop` lets the message in hand end, throws the waiting ones away, and refuses every ask. Draining is a message
 *   of the actor's own.
 *
 * `receive` must not await its own `stop()`: that waits for the message in hand, which is itself.
 */
import { asksOf } from './ask.ts'
import { type Clock, systemClock } from './clock.ts'
import { fifo } from './fifo.ts'

export type Ending = { readonly why: 'stopped' } | { readonly why: 'failed'; readonly error: unknown }

export interface Actor<M> {
  readonly name: string
  /** After the end a message is ignored. */
  tell(message: M): void
  /**
   * Sends a message that carries its reply function.
   * @throws MillraceError `timeout` when no reply came within `deadlineMs` or the actor ended first.
   */
  ask<R>(make: (reply: (value: R) => void) => M, deadlineMs: number): Promise<R>
  stop(): Promise<void>
  /** Never rejects. */
  readonly stopped: Promise<Ending>
}

export interface Behaviour<M> {
  readonly name: string
  readonly receive: (message: M, self: Actor<M>) => void | Promise<void>
  /** Runs once, after the last message, however the actor ends. */
  readonly onStop?: () => void | Promise<void>
  /** The parent's ear. */
  readonly onFailure?: (error: unknown) => void
  /** Measures the deadlines of `ask`. */
  readonly clock?: Clock
}

export const spawn = <M>(behaviour: Behaviour<M>): Actor<M> => {
  const mailbox = fifo<M>()
  const asks = asksOf(behaviour.name, behaviour.clock ?? systemClock)
  const end = Promise.withResolvers<Ending>()
  let running = false
  let ending: Ending | undefined

  const run = async () => {
    try {
      while (mailbox.size > 0 && ending === undefined) {
        const pending = behaviour.receive(mailbox.shift() as M, actor)
        // Awaiting only a promise keeps a synchronous actor within one microtask for a whole mailbox.
        if (pending !== undefined) await pending
      }
    } catch (error) {
      ending = { why: 'failed', error }
    }
    if (ending === undefined) running = false
    else await finish(ending)
  }

  const finish = async (how: Ending) => {
    mailbox.clear()
    const final = await cleanUp(behaviour, how)
    asks.refuseAll()
    end.resolve(final)
    if (final.why === 'failed') behaviour.onFailure?.(final.error)
  }

  const wake = () => {
    if (running) return
    running = true
    queueMicrotask(run)
  }

  const actor: Actor<M> = {
    name: behaviour.name,
    stopped: end.promise,
    tell(message) {
      if (ending !== undefined) return
      mailbox.push(message)
      wake()
    },
    ask<R>(make: (reply: (value: R) => void) => M, deadlineMs: number) {
      const answer = asks.open<R>(deadlineMs, (reply) => actor.tell(make(reply)))
      if (ending !== undefined) void end.promise.then(asks.refuseAll)
      return answer
    },
    async stop() {
      ending ??= { why: 'stopped' }
      wake()
      await end.promise
    },
  }
  return actor
}

const cleanUp = async <M>(behaviour: Behaviour<M>, how: Ending): Promise<Ending> => {
  try {
    await behaviour.onStop?.()
    return how
  } catch (error) {
    return { why: 'failed', error }
  }
}
