/** Lines of a byte stream, undecoded. Law: joined by line feeds they are the stream again (but for a last line feed). */
import { MillraceError } from '../cluster/errors.ts'

const LINE_FEED = 0x0a
/** No topic takes a record of this size; without a bound a file without line feeds would fill the memory. */
const LONGEST = 64 * 1024 ** 2

/** Each time what is complete: a pause of the stream holds back no line. */
export async function* lineGroups(stream: AsyncIterable<Buffer>): AsyncGenerator<readonly Buffer[]> {
  let rest: Buffer[] = []
  let held = 0
  for await (const chunk of stream) {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      lines.push(Buffer.concat([...rest, chunk.subarray(start, end)]))
      rest = []
      held = 0
      start = end + 1
    }
    rest.push(chunk.subarray(start))
    held += chunk.length - start
    if (held > LONGEST) throw new MillraceError('usage', 'a line of more than 64 MiB')
    if (lines.length > 0) yield lines
  }
  const last = Buffer.concat(rest)
  if (last.length > 0) yield [last]
}

/** Groups of at most so many items. */
export function* chunksOf<T>(items: readonly T[], most: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += most) yield items.slice(start, start + most)
}
