/**
 * Text form of a sketch. `d` + base64 of 4096 registers of 5 bits (3,417 characters), or, while few are set,
 * `s` + base64 of 3 bytes for each: register number and rank. Both are canonical: equal sketches, equal text.
 */
export const REGISTERS = 4096
/** Ranks above it count as it: 5 bits hold it. */
export const TOP_RANK = 31
const RANK_BITS = 5
const DENSE_BYTES = (REGISTERS * RANK_BITS) / 8
/** From here the dense form is shorter. */
const SPARSE_MAX = Math.floor(DENSE_BYTES / 3)

export const pack = (registers: Uint8Array): string => {
  let set = 0
  for (const rank of registers) if (rank > 0) set++
  return set <= SPARSE_MAX ? packSparse(registers, set) : packDense(registers)
}

const packSparse = (registers: Uint8Array, set: number): string => {
  const bytes = Buffer.alloc(set * 3)
  let at = 0
  for (let i = 0; i < REGISTERS; i++) {
    const rank = registers[i] ?? 0
    if (rank > 0) at = bytes.writeUIntBE((i << RANK_BITS) | rank, at, 3)
  }
  return `s${bytes.toString('base64')}`
}

const packDense = (registers: Uint8Array): string => {
  const bytes = Buffer.alloc(DENSE_BYTES)
  let pending = 0
  let bits = 0
  let at = 0
  for (const rank of registers) {
    pending = (pending << RANK_BITS) | rank
    bits += RANK_BITS
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = pending >>> bits
    pending &= (1 << bits) - 1
  }
  return `d${bytes.toString('base64')}`
}

/** Undefined where the text is no sketch. */
export const unpack = (text: string): Uint8Array | undefined => {
  const bytes = Buffer.from(text.slice(1), 'base64')
  if (text[0] === 's' && bytes.length % 3 === 0) return unpackSparse(bytes)
  if (text[0] === 'd' && bytes.length === DENSE_BYTES) return unpackDense(bytes)
  return undefined
}

const unpackSparse = (bytes: Buffer): Uint8Array => {
  const registers = new Uint8Array(REGISTERS)
  for (let at = 0; at < bytes.length; at += 3) {
    const entry = bytes.readUIntBE(at, 3)
    registers[(entry >>> RANK_BITS) % REGISTERS] = entry & TOP_RANK
  }
  return registers
}

const unpackDense = (bytes: Buffer): Uint8Array => {
  const registers = new Uint8Array(REGISTERS)
  let pending = 0
  let bits = 0
  let at = 0
  for (const byte of bytes) {
    pending = (pending << 8) | byte
    bits += 8
    while (bits >= RANK_BITS) {
      bits -= RANK_BITS
      registers[at++] = pending >>> bits
      pending &= (1 << bits) - 1
    }
  }
  return registers
}
