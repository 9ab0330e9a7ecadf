const { copy } = Buffer.prototype

/** Up to this a loop is faster than the call into native code. */
const SHORT = 32

/** Copies `source[start, end)` to `target[at]`; returns the position behind it. */
export const copyBytes = (
  source: Uint8Array,
  start: number,
  end: number,
  target: Buffer,
  at: number,
): number => {
  const length = end - start
  if (length <= SHORT) for (let i = 0; i < length; i++) target[at + i] = source[start + i] ?? 0
  else copy.call(source, target, at, start, end)
  return at + length
}

/** A buffer of at least `needed` bytes that begins with the first `used` of `bytes`: the same one where it is large enough. */
export const grown = (bytes: Buffer, used: number, needed: number): Buffer => {
  if (needed <= bytes.length) return bytes
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, bytes.length * 2))
  bytes.copy(larger, 0, 0, used)
  return larger
}

interface Utf8Writer {
  /** Node's own, left out of its types: no parsing of arguments as in `write`. Returns the bytes written. */
  utf8Write(text: string, at: number, length: number): number
}

/** The caller has made room for the whole text. */
export const writeText = (bytes: Buffer, text: string, at: number): number =>
  (bytes as Buffer & Utf8Writer).utf8Write(text, at, bytes.length - at)
