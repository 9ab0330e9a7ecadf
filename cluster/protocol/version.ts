/** This Millrace's own version, from its package. */
import { createRequire } from 'node:module'

/** By the package's own name: found from the sources and from what is shipped of them alike. */
const { version } = createRequire(import.meta.url)('millrace/package.json') as { readonly version: string }

export const VERSION: string = version
