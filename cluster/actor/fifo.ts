/** First in, first out, at constant cost: the head moves, and what lies before it is cut off in one go. */
export interface Fifo<T> {
  readonly size: number
  push(item: T): void
  /** Undefined where it is empty. */
  shift(): T | undefined
  clear(): void
}

const CUT_AT = 1024

export const fifo = <T>(): Fifo<T> => {
  let items: T[] = []
  let head = 0
  return {
    get size() {
      return items.length - head
    },
    push: (item) => void items.push(item),
    shift() {
      const item = items[head]
      if (head < items.length) head += 1
      if (head === items.length) {
        items = []
        head = 0
      } else if (head >= CUT_AT && head * 2 >= items.length) {
        items = items.slice(head)
        head = 0
      }
      return item
    },
    clear() {
      items = []
      head = 0
    },
  }
}
