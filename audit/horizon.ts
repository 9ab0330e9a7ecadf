/**
 * How far back a topic of fates still proves something. Where its log start moved, the oldest fates are gone; as the fates
 * of one input partition stand in offset order, the first one left tells from where on all are there. Pure.
 */
export interface Kept {
  /** Fates of the kind that were seen, and that the position counts. */
  readonly seen: number
  readonly counted: number
  /** Where the input partition's fates of the kind may stand. */
  readonly partitions: readonly number[]
  /** The position: nothing at all is proven. */
  readonly next: number
}

export class Horizon {
  /** By partition of the topic whose log start moved: input partition -> first origin left. */
  readonly #moved: ReadonlyMap<number, Map<number, number>>

  /** @param starts log starts of the topic by partition */
  constructor(starts: ReadonlyMap<number, number>) {
    const moved = [...starts].filter(([, start]) => start > 0)
    this.#moved = new Map(moved.map(([partition]) => [partition, new Map()]))
  }

  get moved(): boolean {
    return this.#moved.size > 0
  }

  /** In the order of the topic. */
  saw(partition: number, inputPartition: number, offset: number): void {
    const firsts = this.#moved.get(partition)
    if (firsts !== undefined && !firsts.has(inputPartition)) firsts.set(inputPartition, offset)
  }

  /** First input offset whose fate would be there. A log that lost only what nobody counts limits nothing. */
  provableFrom(inputPartition: number, { seen, counted, partitions, next }: Kept): number {
    if (seen >= counted) return 0
    const limits = partitions.map((partition) => {
      const firsts = this.#moved.get(partition)
      return firsts === undefined ? 0 : (firsts.get(inputPartition) ?? next)
    })
    return Math.max(0, ...limits)
  }
}
