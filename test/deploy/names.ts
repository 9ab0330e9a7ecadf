/** Names that image and compose file use, held against the table of settings. */
import { settingsTable } from '../../cluster/settings.ts'

const known = new Set<string>(Object.values(settingsTable).map(({ env }) => env))

/** Unknown names of ours in an environment. */
export const unknownSettings = (names: readonly string[]): readonly string[] =>
  names.filter((name) => /^MILLRACE_(?!OPTION_)/.test(name) && !known.has(name))
