/** At most so many at once; the others wait their turn, first come first. */
export type Limit = <T>(act: () => Promise<T>) => Promise<T>

export const limit = (most: number): Limit => {
  let running = 0
  const waiting: (() => void)[] = []
  return async (act) => {
    if (running >= most) await new Promise<void>((go) => waiting.push(go))
    else running++
    try {
      return await act()
    } finally {
      // A place that is handed on stays taken.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
