/**
 * A deterministic 64-bit hash of text in two halves: multiply-xor over the UTF-16 units, then murmur3's finalizer.
 * Part of the stored format: sketches and capped counts of different processes combine only while it stays as it is.
 */
const mix = (a: number, b: number): number => {
  let h = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Calls back instead of returning a pair: no allocation on the hot path. */
export const hashText = <T>(text: string, use: (high: number, low: number) => T): T => {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x9e3779b1)
    b = Math.imul(b ^ unit, 0x5f356495)
    a ^= b >>> 15
  }
  return use(mix(a, b), mix(b, a))
}

/** 53 bits as one number, for ordering. */
export const rankOf = (text: string): number => hashText(text, (high, low) => high * 0x200000 + (low >>> 11))
