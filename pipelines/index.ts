/** The shipped pipelines: name -> module. A path in their place names a user's own. */
import { extname } from 'node:path'

/** `.ts` in the repository, `.js` in the published package. */
const extension = extname(import.meta.url)
const names = ['user-login', 'bench-login'] as const

export const shippedPipelines: ReadonlyMap<string, URL> = new Map(
  names.map((name) => [name, new URL(`./${name}/pipeline${extension}`, import.meta.url)]),
)
