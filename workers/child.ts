/**
 * What a supervisor and its child say to each other over IPC, and the child's side of it. A child ends when it is told to,
 * and when the channel closes: a supervisor that died leaves no orphan.
 */
export type ToChild =
  | {
      readonly kind: 'start'
      readonly index: number /** What the predecessor asked to keep. */
      readonly kept: unknown
    }
  | { readonly kind: 'stop' }

export type FromChild =
  | { readonly kind: 'ready' }
  /** Its loop turns. */
  | { readonly kind: 'alive' }
  /** The supervisor keeps the newest such value for the next child in this place. */
  | { readonly kind: 'keep'; readonly value: unknown }
  /** Why it is about to end. */
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string }

export interface ChildStart {
  readonly index: number
  readonly kept: unknown
  /** Aborts when the child shall end in good order. */
  readonly signal: AbortSignal
  readonly ready: () => void
  readonly keep: (value: unknown) => void
  /** Tells the supervisor why, before the process ends with an exit code of its own. */
  readonly failed: (code: string, detail: string) => void
  /** The last word: the channel no longer keeps the process alive. */
  readonly leave: () => void
}

/** A child says so often that its loop turns. */
export const ALIVE_MS = 1000

/**
 * Resolves when the supervisor has said what to do; rejects in a process that has none.
 * @param orphanMs how long an orderly end may take after the supervisor has gone
 */
export const startedByParent = (orphanMs = 10_000): Promise<ChildStart> => {
  const { promise, resolve, reject } = Promise.withResolvers<ChildStart>()
  if (process.send === undefined) reject(new Error('this process is started by a supervisor only'))
  const stop = new AbortController()
  const send = (message: FromChild) => {
    // Unheard because the supervisor is gone: the channel closes, and that ends this process.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
  }
  setInterval(() => send({ kind: 'alive' }), ALIVE_MS).unref()
  process.on('message', (message: ToChild) => {
    if (message.kind === 'stop') return stop.abort()
    resolve({
      index: message.index,
      kept: message.kept,
      signal: stop.signal,
      ready: () => send({ kind: 'ready' }),
      keep: (value) => send({ kind: 'keep', value }),
      failed: (code, detail) => send({ kind: 'failed', code, detail }),
      leave: () => {
        if (process.connected) process.disconnect()
      },
    })
  })
  process.on('disconnect', () => {
    stop.abort()
    setTimeout(() => process.exit(1), orphanMs).unref()
  })
  return promise
}
