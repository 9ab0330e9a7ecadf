/**
 * One partition in memory, as a broker keeps it: real record batches, the open transactions that hold back what is
 * stable, the aborted ones that a read_committed reader must skip, and what is known of each producer's sequence.
 */
import { type BatchHeader, readHeader } from '../../../cluster/kafka/codec/header.ts'
import { AT, ATTRIBUTE, writeInt64 } from '../../../cluster/kafka/codec/layout.ts'
import { encodeBatch } from '../../../cluster/kafka/codec/records.ts'
import { stamp } from '../../../cluster/kafka/codec/stamp.ts'
import { CODE } from '../../../cluster/kafka/codes.ts'
import type { AbortedTransaction } from '../../../cluster/kafka/requests/fetch.ts'
import type { Producer } from '../../../cluster/kafka/requests/transactions.ts'

interface Stored {
  readonly base: number
  readonly last: number
  readonly bytes: Buffer
}
interface Sequence {
  epoch: number
  next: number
  /** The last batches, so that the same one sent again is known. */
  recent: { readonly sequence: number; readonly count: number; readonly base: number }[]
}
interface Aborted extends AbortedTransaction {
  readonly lastOffset: number
}

export type Appended = { readonly code: number; readonly base: number }

const REMEMBERED = 5
const OUT_OF_ORDER = 45

export class FakeLog {
  start = 0
  end = 0
  leader = 1
  leaderEpoch = 0
  readonly #batches: Stored[] = []
  readonly #open = new Map<number, number>()
  readonly #aborted: Aborted[] = []
  readonly #sequences = new Map<number, Sequence>()

  /** End of what a read_committed reader may see. */
  get stable(): number {
    return Math.min(this.end, ...this.#open.values())
  }

  /** A data batch as it was stamped, of a transaction or of nobody's. */
  append(bytes: Uint8Array): Appended {
    const copy = Buffer.from(bytes)
    const header = readHeader(copy, 0)
    if (header === undefined) return { code: CODE.invalidRecord, base: -1 }
    if (!header.transactional) {
      this.#store(copy, header.count)
      return { code: CODE.none, base: this.end - header.count }
    }
    const known = this.#judge(header)
    if (known !== undefined) return known
    const base = this.end
    this.#store(copy, header.count)
    if (!this.#open.has(header.producerId)) this.#open.set(header.producerId, base)
    this.#remember(header, base)
    return { code: CODE.none, base }
  }

  #judge({ producerId, producerEpoch, baseSequence, count }: BatchHeader): Appended | undefined {
    const known = this.#sequences.get(producerId)
    if (known === undefined || producerEpoch > known.epoch)
      return baseSequence === 0 ? undefined : { code: OUT_OF_ORDER, base: -1 }
    if (producerEpoch < known.epoch) return { code: CODE.invalidProducerEpoch, base: -1 }
    const same = known.recent.find((one) => one.sequence === baseSequence && one.count === count)
    if (same !== undefined) return { code: CODE.none, base: same.base }
    return baseSequence === known.next ? undefined : { code: OUT_OF_ORDER, base: -1 }
  }

  #remember({ producerId, producerEpoch, baseSequence, count }: BatchHeader, base: number): void {
    const known = this.#sequences.get(producerId)
    const recent = known?.epoch === producerEpoch ? known.recent : []
    this.#sequences.set(producerId, {
      epoch: producerEpoch,
      next: baseSequence + count,
      recent: [...recent, { sequence: baseSequence, count, base }].slice(-REMEMBERED),
    })
  }

  #store(bytes: Buffer, count: number): void {
    writeInt64(bytes, AT.baseOffset, this.end)
    bytes.writeInt32BE(this.leaderEpoch, AT.leaderEpoch)
    this.#batches.push({ base: this.end, last: this.end + count - 1, bytes })
    this.end += count
  }

  /** The marker that ends a producer's transaction here. Its epoch fences older ones. */
  mark({ producerId, epoch }: Producer, how: 'commit' | 'abort', timestamp: number): void {
    const first = this.#open.get(producerId)
    this.#open.delete(producerId)
    if (how === 'abort' && first !== undefined)
      this.#aborted.push({ producerId, firstOffset: first, lastOffset: this.end })
    this.#store(marker({ producerId, epoch }, how, timestamp), 1)
    const known = this.#sequences.get(producerId)
    if (known === undefined || known.epoch < epoch)
      this.#sequences.set(producerId, { epoch, next: 0, recent: [] })
  }

  /** Read_committed from `from`: whole batches, at least one where there is one. */
  read(from: number, maxBytes: number): { records: Buffer; aborted: readonly AbortedTransaction[] } {
    const { stable } = this
    const chosen: Buffer[] = []
    let size = 0
    let upTo = from
    for (const { last, base, bytes } of this.#batches) {
      if (last < from) continue
      if (base >= stable || (chosen.length > 0 && size + bytes.length > maxBytes)) break
      chosen.push(bytes)
      size += bytes.length
      upTo = last + 1
    }
    const aborted = this.#aborted.filter((one) => one.lastOffset >= from && one.firstOffset < upTo)
    return { records: Buffer.concat(chosen), aborted }
  }

  deleteBefore(offset: number): void {
    this.start = Math.max(this.start, Math.min(offset, this.end))
    const keep = this.#batches.findIndex(({ last }) => last >= this.start)
    this.#batches.splice(0, keep === -1 ? this.#batches.length : keep)
  }
}

const marker = ({ producerId, epoch }: Producer, how: 'commit' | 'abort', timestamp: number): Buffer => {
  const key = Uint8Array.of(0, 0, 0, how === 'abort' ? 0 : 1)
  const encoded = encodeBatch([{ timestamp, key, value: new Uint8Array(6) }])
  if (encoded === undefined) throw new Error('a marker is a batch of one')
  const bytes = Buffer.from(encoded.bytes)
  bytes.writeInt16BE(ATTRIBUTE.transactional | ATTRIBUTE.control, AT.attributes)
  stamp(bytes, producerId, epoch, -1)
  return bytes
}
