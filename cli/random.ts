/** Seeded random numbers: the same seed gives the same numbers for ever. Not for secrets. */
export interface Random {
  /** A whole 32-bit number. */
  bits(): number
  /** 0 <= x < 1. */
  unit(): number
  below(limit: number): number
  pick<T>(items: readonly [T, ...T[]]): T
  /** A version 4 UUID. */
  uuid(): string
}

/** sfc32 (Chris Doty-Humphrey's "small fast counting" generator), seeded by splitmix32. */
const sfc32 = (seed: number): (() => number) => {
  let mix = seed | 0
  const next = () => {
    mix = (mix + 0x9e3779b9) | 0
    let z = mix ^ (mix >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return z ^ (z >>> 15)
  }
  let [a, b, c, counter] = [next(), next(), next(), 1]
  return () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const quarter = (word: number): string =>
  `${hex[word >>> 24]}${hex[(word >>> 16) & 255]}${hex[(word >>> 8) & 255]}${hex[word & 255]}`

export const seededRandom = (seed: number): Random => {
  const bits = sfc32(seed)
  const unit = () => bits() / 2 ** 32
  const below = (limit: number) => Math.floor(unit() * limit)
  const uuid = () => {
    const [a, b, c, d] = [
      quarter(bits()),
      quarter((bits() & 0xffff0fff) | 0x4000),
      quarter((bits() & 0x3fffffff) | 0x80000000),
      quarter(bits()),
    ]
    return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}`
  }
  return { bits, unit, below, pick: (items) => items[below(items.length)] ?? items[0], uuid }
}
