/**
 * What image and compose file name although it comes from elsewhere: settings of the metrics server, folders of Prometheus and
 * Grafana. A name that exists by now counts as any other.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { settingsTable } from '../../cluster/settings.ts'
import { root } from '../house/tree.ts'

const known = new Set<string>(Object.values(settingsTable).map(({ env }) => env))
const settings = ['MILLRACE_METRICS_HOST', 'MILLRACE_METRICS_PORT']
const folders = ['deploy/prometheus', 'deploy/grafana/provisioning', 'deploy/grafana/dashboards']

const isAwaited = (name: string): boolean => settings.includes(name) && !known.has(name)

/** Unknown names of ours in an environment. */
export const unknownSettings = (names: readonly string[]): readonly string[] =>
  names.filter((name) => /^MILLRACE_(?!OPTION_)/.test(name) && !known.has(name) && !isAwaited(name))

/** Without what this version does not know yet. */
export const understood = (env: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !isAwaited(name)))

export const missingFolders = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => !existsSync(join(root, path)) && !folders.includes(path))
