/**
 * Saves of a set of files. Their folders are watched, because editors replace a file instead of writing it; what happens within
 * a moment is one save, and one that happens while nobody waits is not forgotten.
 */
import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

/** An editor writes, renames and touches within a few ms. */
const SETTLED_MS = 100

export class FileWatch implements Disposable {
  readonly #files = new Map<string, Set<string>>()
  readonly #watchers: FSWatcher[] = []
  #timer: NodeJS.Timeout | undefined
  #saved = Promise.withResolvers<void>()

  /** Those that are watched already go on being watched. */
  add(files: readonly string[]): void {
    for (const file of files) {
      const folder = dirname(file)
      const names = this.#files.get(folder)
      if (names === undefined) this.#open(folder, basename(file))
      else names.add(basename(file))
    }
  }

  #open(folder: string, first: string): void {
    const names = new Set([first])
    this.#files.set(folder, names)
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name === null || names.has(name)) this.#touch()
    })
    // A folder that is removed takes its files along: their loss was noticed as a save.
    watcher.on('error', () => watcher.close())
    this.#watchers.push(watcher)
  }

  #touch(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#saved.resolve(), SETTLED_MS)
  }

  /** Resolves at the next save, or at once where one came since the last; false when the signal aborts first. */
  async next(signal: AbortSignal): Promise<boolean> {
    const aborted = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    if (!signal.aborted) await Promise.race([this.#saved.promise, aborted.promise])
    if (signal.aborted) return false
    this.#saved = Promise.withResolvers()
    return true
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers) watcher.close()
  }
}
