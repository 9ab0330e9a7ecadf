/** The shipped pipelines: name -> module. A path in their place names a user's own. */
import { entryUrl } from '../cluster/entry.ts'

const names = [
  'user-login',
  'login-production',
  'login-defaults',
  'login-privacy',
  'login-search',
  'login-insights',
  'bench-login',
] as const

export const shippedPipelines: ReadonlyMap<string, URL> = new Map(
  names.map((name) => [name, entryUrl(`./${name}/pipeline`, import.meta.url)]),
)
