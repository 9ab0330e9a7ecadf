/** A letter as one line of JSON, whole and unmasked: what `export` and the park file hold. Pure. */
import { isUtf8 } from 'node:buffer'
import { formatOrigin } from '../cluster/protocol/headers.ts'
import type { Letter } from './letter.ts'

/** As text, or as `<name>Base64` where it is none. */
const asJson = (name: string, bytes: Buffer | null) => {
  if (bytes === null) return { [name]: null }
  return isUtf8(bytes) ? { [name]: bytes.toString('utf8') } : { [`${name}Base64`]: bytes.toString('base64') }
}

export const letterJson = (letter: Letter, more: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    letter: formatOrigin(letter.place),
    origin: formatOrigin(letter.origin),
    failedAt: new Date(letter.at).toISOString(),
    code: letter.code,
    message: letter.message,
    attempts: letter.attempts,
    replays: letter.replays,
    ...more,
    ...asJson('key', letter.key),
    ...asJson('value', letter.value),
    headers: letter.headers.map(([name, value]) => ({ name, ...asJson('value', value) })),
    ...(letter.sha256 !== undefined && { sha256: letter.sha256 }),
  })

/** The letter that a line of a park file is about; undefined where it is cut off, or of a dead-letter topic that is no more. */
export const parkedLetter = (line: string, topicId: string): string | undefined => {
  try {
    const value = JSON.parse(line) as { readonly letter?: unknown; readonly topicId?: unknown }
    return typeof value.letter === 'string' && value.topicId === topicId ? value.letter : undefined
  } catch {
    return undefined
  }
}
