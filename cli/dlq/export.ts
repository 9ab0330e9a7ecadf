/** `millrace dlq export`: letters as lines of JSON, whole and unmasked, to take them elsewhere. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import type { Letter } from '../../letters/letter.ts'
import { letterJson } from '../../letters/lines.ts'
import { note } from '../output.ts'
import { isWanted, visitLetters, withDesk } from './desk.ts'
import { type SelectionOptions, selectionOf } from './options.ts'
import { lettersText } from './text.ts'

export interface ExportOptions extends SelectionOptions {
  readonly all?: boolean
  readonly file?: string
}

/** Lines that wait for a slow reader. */
const MOST_WAITING = 1000

export const exportLetters = async (named: string | undefined, options: ExportOptions): Promise<void> => {
  const selection = selectionOf(options)
  await withDesk(named, options, async (desk) => {
    const out = options.file === undefined ? process.stdout : await fileAt(options.file)
    const waiting: Letter[] = []
    let written = 0
    let writing = Promise.resolve()
    const flush = () => {
      const some = waiting.splice(0)
      written += some.length
      writing = writing.then(() => write(out, some))
    }
    await visitLetters(desk, (found) => {
      if (found.kind !== 'letter' || !isWanted(desk, selection, found, options.all === true)) return
      waiting.push(found)
      if (waiting.length >= MOST_WAITING) flush()
    })
    flush()
    await writing
    if (out !== process.stdout) {
      out.end()
      await finished(out)
      note(`${lettersText(written)} written to ${options.file}`)
    }
  })
}

const write = async (out: Writable, some: readonly Letter[]): Promise<void> => {
  for (const letter of some) if (!out.write(`${letterJson(letter)}\n`)) await once(out, 'drain')
}

/** @throws MillraceError `usage` */
const fileAt = async (path: string): Promise<Writable> => {
  try {
    await mkdir(dirname(path), { recursive: true })
    const stream = createWriteStream(path, { flags: 'wx' })
    await once(stream, 'open')
    return stream
  } catch (error) {
    throw new MillraceError('usage', `cannot write ${path}: ${messageOf(error)}`, {
      remedy: 'name a file that is not there yet, in a folder that may be written',
    })
  }
}
