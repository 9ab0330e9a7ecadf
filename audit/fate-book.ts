/**
 * What became of each offset of one input partition: one byte an offset, whatever is noted in whatever order. Pure.
 *
 * Law: with exactly one fate at each data offset the verdict is clean; an offset whose fate was left out is `lost`, one
 * with two is `double`, a fate where the position covers no data is `foreign`, each by name.
 *
 * `output` is the fate of every done record, also where the pipeline has no output topic and the drops topic tells of it.
 */
export const FATES = ['output', 'dead', 'drop', 'parked'] as const
export type Fate = (typeof FATES)[number]

const BIT: Readonly<Record<Fate, number>> = { output: 1, dead: 2, drop: 4, parked: 8 }
const ANY = 15
/** A second fate of the same kind. */
const AGAIN = 16
const LATE = 32
/** A read_committed reader sees a record here. */
const DATA = 128

/** Named ones of each kind; the rest is only counted. */
export const MOST_NAMED = 10

export interface BookRange {
  /** Where the position began. */
  readonly first: number
  /** The book keeps `from <= offset < to`; `to` is the position. */
  readonly from: number
  readonly to: number
  /** A position read later: fates from `to` on up to here were committed meanwhile, they belong to the next audit. */
  readonly covered: number
  /** Offsets that were parked at the position and are settled since: their later fate is none of this audit's. */
  readonly settled?: ReadonlySet<number>
  /** True where compaction takes records out of the input: a fate without its record is no fault then. */
  readonly holes?: boolean
}

export type FateCounts = Readonly<Record<Fate, number>>

export interface DoubleFate {
  readonly offset: number
  /** Kinds; one kind alone means that it came twice. */
  readonly fates: readonly Fate[]
}

export interface FateVerdict {
  /** The audited range: `from <= offset < to`. */
  readonly from: number
  readonly to: number
  /** Data offsets in the range. */
  readonly produced: number
  readonly counts: FateCounts
  readonly late: number
  readonly lost: number
  readonly double: number
  readonly foreign: number
  readonly offending: {
    readonly lost: readonly number[]
    readonly double: readonly DoubleFate[]
    readonly foreign: readonly number[]
  }
}

export class FateBook {
  readonly range: BookRange
  readonly #bytes: Uint8Array
  /** Fates of offsets that the position covers but the book does not keep: their records are gone from the input. */
  readonly #below = { output: 0, dead: 0, drop: 0, parked: 0 }
  readonly #outside: number[] = []
  #outsideCount = 0

  constructor(range: BookRange) {
    this.range = range
    this.#bytes = new Uint8Array(Math.max(0, range.to - range.from))
  }

  data(offset: number): void {
    const at = offset - this.range.from
    if (at >= 0 && at < this.#bytes.length) this.#bytes[at] = (this.#bytes[at] ?? 0) | DATA
  }

  /** True where it is the first fate that the position covers at this offset. */
  note(offset: number, fate: Fate, late = false): boolean {
    const { first, from, covered, settled } = this.range
    if (fate !== 'parked' && settled?.has(offset) === true) return false
    const at = offset - from
    const before = this.#bytes[at]
    if (before !== undefined) {
      const bit = BIT[fate]
      this.#bytes[at] = before | bit | ((before & bit) === 0 ? 0 : AGAIN) | (late ? LATE : 0)
      return (before & ANY) === 0
    }
    if (offset < first || offset >= covered) this.#foreign(offset)
    else if (offset < from) this.#below[fate]++
    return offset >= first && offset < from
  }

  /** Both ends inclusive, however far apart. */
  noteRange(start: number, end: number, fate: Fate, late = false): void {
    const { first, from, to, covered } = this.range
    if (start < first) this.#foreign(start)
    if (end >= covered) this.#foreign(Math.max(start, covered))
    this.#below[fate] += Math.max(0, Math.min(end + 1, from) - Math.max(start, first))
    const last = Math.min(end, to - 1)
    for (let offset = Math.max(start, from); offset <= last; offset++) this.note(offset, fate, late)
  }

  #foreign(offset: number): void {
    this.#outsideCount++
    if (this.#outside.length < MOST_NAMED) this.#outside.push(offset)
  }

  has(offset: number, fate: Fate): boolean {
    return ((this.#bytes[offset - this.range.from] ?? 0) & BIT[fate]) !== 0
  }

  /** Fates of that kind which the position covers, those below the book included. */
  seen(fate: Fate): number {
    const histogram = this.#histogram(0)
    return this.#below[fate] + sum(histogram, (byte) => (byte & BIT[fate]) !== 0)
  }

  /**
   * @param provableFrom below it fates may be gone; nothing is said of those offsets
   * @param complete false where fates may be gone anywhere: none is missed then
   */
  verdict(provableFrom = this.range.from, complete = true): FateVerdict {
    const { from, to, holes = false } = this.range
    const begin = Math.min(Math.max(from, provableFrom), Math.max(from, to))
    const histogram = this.#histogram(begin - from)
    const held = (byte: number) => holes || (byte & DATA) !== 0
    const count = (fits: (byte: number) => boolean) => sum(histogram, fits)
    const fates = (fate: Fate) => count((byte) => held(byte) && (byte & BIT[fate]) !== 0)
    const isMissed = (byte: number) => complete && isLost(byte)
    const isForeign = (byte: number) => !held(byte) && (byte & ANY) !== 0
    return {
      from: begin,
      to: Math.max(begin, to),
      produced: count((byte) => (byte & DATA) !== 0),
      counts: { output: fates('output'), dead: fates('dead'), drop: fates('drop'), parked: fates('parked') },
      late: count((byte) => held(byte) && (byte & LATE) !== 0),
      lost: count(isMissed),
      double: count(isDouble),
      foreign: count(isForeign) + this.#outsideCount,
      offending: {
        lost: this.#find(begin, histogram, isMissed),
        double: this.#find(begin, histogram, isDouble).map((offset) => this.#named(offset)),
        foreign: [...this.#find(begin, histogram, isForeign), ...this.#outside].slice(0, MOST_NAMED),
      },
    }
  }

  /** How often each byte occurs from there on: every count derives from it. */
  #histogram(start: number): Uint32Array {
    const histogram = new Uint32Array(256)
    for (let at = start; at < this.#bytes.length; at++) {
      const byte = this.#bytes[at] ?? 0
      histogram[byte] = (histogram[byte] ?? 0) + 1
    }
    return histogram
  }

  #find(begin: number, histogram: Uint32Array, fits: (byte: number) => boolean): number[] {
    const found: number[] = []
    let left = Math.min(MOST_NAMED, sum(histogram, fits))
    for (let at = begin - this.range.from; left > 0 && at < this.#bytes.length; at++) {
      if (!fits(this.#bytes[at] ?? 0)) continue
      found.push(this.range.from + at)
      left--
    }
    return found
  }

  #named(offset: number): DoubleFate {
    const byte = this.#bytes[offset - this.range.from] ?? 0
    return { offset, fates: FATES.filter((fate) => (byte & BIT[fate]) !== 0) }
  }
}

const isLost = (byte: number): boolean => (byte & DATA) !== 0 && (byte & ANY) === 0

/** A data offset or not: two fates are one too many. */
const isDouble = (byte: number): boolean => {
  const fates = byte & ANY
  return (fates & (fates - 1)) !== 0 || (byte & AGAIN) !== 0
}

const sum = (histogram: Uint32Array, fits: (byte: number) => boolean): number => {
  let total = 0
  for (const [byte, count] of histogram.entries()) if (count > 0 && fits(byte)) total += count
  return total
}
