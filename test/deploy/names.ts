/** Names that image and compose file use, held against what there is. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { settingsTable } from '../../cluster/settings.ts'
import { root } from '../house/tree.ts'

const known = new Set<string>(Object.values(settingsTable).map(({ env }) => env))

/** Mounted by the compose file and made by others: once it is there it counts as any other. */
const awaited = ['deploy/prometheus', 'deploy/grafana/provisioning', 'deploy/grafana/dashboards']

/** Unknown names of ours in an environment. */
export const unknownSettings = (names: readonly string[]): readonly string[] =>
  names.filter((name) => /^MILLRACE_(?!OPTION_)/.test(name) && !known.has(name))

export const missingFolders = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => !existsSync(join(root, path)) && !awaited.includes(path))
