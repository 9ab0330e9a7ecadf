/** Kafka's default partitioner: a key goes where the Java client would put it. */
const SEED = 0x9747b28c
const MIX = 0x5bd1e995

const tail = (bytes: Uint8Array, at: number, rest: number): number => {
  let word = 0
  for (let i = rest - 1; i >= 0; i--) word = (word << 8) | (bytes[at + i] ?? 0)
  return word
}

export const murmur2 = (bytes: Uint8Array, start: number, end: number): number => {
  const length = end - start
  let hash = SEED ^ length
  let at = start
  for (const last = end - 3; at < last; at += 4) {
    let word = Math.imul(tail(bytes, at, 4), MIX)
    word = Math.imul(word ^ (word >>> 24), MIX)
    hash = Math.imul(hash, MIX) ^ word
  }
  if (at < end) hash = Math.imul(hash ^ tail(bytes, at, end - at), MIX)
  hash = Math.imul(hash ^ (hash >>> 13), MIX)
  return hash ^ (hash >>> 15)
}

/** `start < 0` (a null key) has no partition of its own: do not ask. */
export const murmur2Partition = (key: Uint8Array, start: number, end: number, partitions: number): number =>
  (murmur2(key, start, end) & 0x7fffffff) % partitions
