/** This Millrace's own version, from its package. */
import { createRequire } from 'node:module'

const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string }

export const VERSION: string = version
