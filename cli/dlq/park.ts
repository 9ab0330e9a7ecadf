/** The park file: a line of JSON for each letter that nobody could mend. A line is on the disk before the letter is marked. */
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import { formatOrigin } from '../../cluster/protocol/headers.ts'
import type { Letter } from '../../letters/letter.ts'
import { letterJson, parkedLetter } from '../../letters/lines.ts'

export class ParkFile implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #topicId: string
  /** Killed between line and mark, a run finds its line again. */
  readonly #written: Set<string>

  private constructor(file: FileHandle, topicId: string, written: Set<string>) {
    this.#file = file
    this.#topicId = topicId
    this.#written = written
  }

  /**
   * Makes the folder and the file where they are missing, and goes on behind what is there.
   * @throws MillraceError `usage`
   */
  static async open(path: string, topicId: string): Promise<ParkFile> {
    try {
      await mkdir(dirname(path), { recursive: true })
      const file = await open(path, 'a')
      const before = await readFile(path, 'utf8')
      // The last line of a run that was killed may be cut off.
      if (before !== '' && !before.endsWith('\n')) await file.appendFile('\n')
      const written = before.split('\n').flatMap((line) => parkedLetter(line, topicId) ?? [])
      return new ParkFile(file, topicId, new Set(written))
    } catch (error) {
      throw new MillraceError('usage', `cannot write ${path}: ${messageOf(error)}`, {
        remedy: 'name a file in a folder that may be written',
      })
    }
  }

  async add(letters: readonly { readonly letter: Letter; readonly why: string }[]): Promise<void> {
    const fresh = letters.filter(({ letter }) => !this.#written.has(formatOrigin(letter.place)))
    if (fresh.length === 0) return
    const parkedAt = new Date().toISOString()
    const lines = fresh.map(({ letter, why }) =>
      letterJson(letter, { why, parkedAt, topicId: this.#topicId }),
    )
    await this.#file.appendFile(`${lines.join('\n')}\n`)
    await this.#file.sync()
    for (const { letter } of fresh) this.#written.add(formatOrigin(letter.place))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}
