/** One header of a record by its name, without reading the others into objects: most records have none, some have many. */
import type { HeaderSpan } from './decode.ts'
import { CodecError } from './error.ts'
import { VarintReader } from './varint.ts'

class HeaderSearch extends VarintReader {
  find(span: HeaderSpan, name: Buffer): Buffer | undefined {
    this.bytes = span.bytes
    this.pos = span.headersStart
    let found: Buffer | undefined
    for (let i = 0; i < span.headerCount; i++) {
      const isWanted = this.#passes(span.headersEnd, name)
      const length = this.varint()
      const start = this.pos
      this.pos += Math.max(length, 0)
      if (this.pos > span.headersEnd) throw new CodecError('corrupt', 'a header reaches beyond its record')
      if (isWanted && length >= 0) found = span.bytes.subarray(start, this.pos)
    }
    return found
  }

  /** Passes a name; true where it is the wanted one. */
  #passes(end: number, name: Buffer): boolean {
    const length = this.varint()
    const start = this.pos
    if (length < 0 || start + length > end) throw new CodecError('corrupt', 'a header without a name')
    this.pos = start + length
    return length === name.length && this.bytes.compare(name, 0, length, start, this.pos) === 0
  }
}

const search = new HeaderSearch()

/** The value of the last header of that name, a view of the record's bytes. @throws CodecError `corrupt` */
export const findHeader = (span: HeaderSpan, name: Buffer): Buffer | undefined => search.find(span, name)
