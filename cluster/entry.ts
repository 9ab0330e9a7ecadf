/** Modules that are named by URL, such as the entry of a thread or of a child process. */
import { extname } from 'node:path'

/**
 * `.ts` in the repository, `.js` in the published package: the compiler rewrites imports, but no URLs.
 * @param path without extension
 * @param from `import.meta.url` of the file that names it
 */
export const entryUrl = (path: string, from: string): URL => new URL(path + extname(from), from)
