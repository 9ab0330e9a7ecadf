/**
 * Gives the memory of bytes that nobody reads again back at once. Megabytes pass through a worker each second, outside the
 * collector's heap: left to it they pile up by the hundred MB, and it walks the whole heap to find them.
 */

/** The whole ArrayBuffer goes, with every view of it. Small ones stay: they may be of Node's pool, which others use. */
export const free = (bytes: Uint8Array): void => {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0)
}

/** One reply, several holders: freed when the last has let go of it. The first holder is who made it. */
export class Shared {
  readonly #bytes: Uint8Array | undefined
  #holders = 1

  /** @param bytes a view of the reply; none where it brought nothing */
  constructor(bytes: Uint8Array | undefined) {
    this.#bytes = bytes
  }

  /** @returns to be called once */
  hold(): () => void {
    this.#holders++
    return this.release
  }

  readonly release = (): void => {
    this.#holders--
    if (this.#holders === 0 && this.#bytes !== undefined) free(this.#bytes)
  }
}
