/** Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once. */
const AT_ONCE = 130

/** Aborts at the first signal. `[Symbol.dispose]` gives the signals back. */
export const untilInterrupted = (): { readonly signal: AbortSignal } & Disposable => {
  const controller = new AbortController()
  const listener = () => {
    if (controller.signal.aborted) process.exit(AT_ONCE)
    controller.abort()
  }
  const names = ['SIGINT', 'SIGTERM'] as const
  for (const name of names) process.on(name, listener)
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, listener)
    },
  }
}
