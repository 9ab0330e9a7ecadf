/** A binary heap: the first by its order comes first, at logarithmic cost. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #isBefore: (a: T, b: T) => boolean

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    let at = this.#items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = this.#items[parent] as T
      if (!this.#isBefore(item, above)) break
      this.#items[at] = above
      at = parent
    }
    this.#items[at] = item
  }

  pop(): T | undefined {
    const [first] = this.#items
    const last = this.#items.pop()
    if (last !== undefined && this.#items.length > 0) this.#sink(last)
    return first
  }

  #sink(item: T): void {
    const items = this.#items
    let at = 0
    for (let child = 1; child < items.length; child = 2 * at + 1) {
      const right = items[child + 1]
      if (right !== undefined && this.#isBefore(right, items[child] as T)) child++
      const below = items[child] as T
      if (!this.#isBefore(below, item)) break
      items[at] = below
      at = child
    }
    items[at] = item
  }
}
