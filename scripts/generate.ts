/**
 * Writes the pages that are made from tables: `npm run generate`. With --check it writes nothing and fails where a page
 * is not what its table says. To add a page, add a line to `pages`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dashboardFile } from '../sinks/opensearch/dashboard.ts'
import { overviewFile } from './deploy/dashboards/overview.ts'
import { oneSlotFile } from './deploy/dashboards/slot.ts'
import { alertsFile, rulesFile } from './deploy/rules.ts'
import { chartCopies } from './pages/chart/copies.ts'
import { chartSchema } from './pages/chart/schema.ts'
import { chartSettings } from './pages/chart/settings.ts'
import { exitCodesPage } from './pages/exit-codes.ts'
import { kafkaAclsPage } from './pages/kafka-acls.ts'
import { metricsPage } from './pages/metrics.ts'
import { recordCodesPage } from './pages/record-codes.ts'
import { runbooksPage } from './pages/runbooks.ts'
import { settingsPage } from './pages/settings.ts'

export const pages: readonly { readonly path: string; readonly render: () => string }[] = [
  { path: 'docs/settings.md', render: settingsPage },
  { path: 'docs/exit-codes.md', render: exitCodesPage },
  { path: 'docs/metrics.md', render: metricsPage },
  { path: 'docs/record-codes.md', render: recordCodesPage },
  { path: 'docs/runbooks/README.md', render: runbooksPage },
  { path: 'deploy/kafka-acls.md', render: kafkaAclsPage },
  { path: 'deploy/opensearch/dashboard.ndjson', render: dashboardFile },
  { path: 'deploy/prometheus/rules.yml', render: rulesFile },
  { path: 'deploy/prometheus/alerts.yml', render: alertsFile },
  { path: 'deploy/grafana/dashboards/overview.json', render: overviewFile },
  { path: 'deploy/grafana/dashboards/slot.json', render: oneSlotFile },
  { path: 'deploy/helm/millrace/values.schema.json', render: chartSchema },
  { path: 'deploy/helm/millrace/files/settings.json', render: chartSettings },
  ...chartCopies,
]

const fileOf = (path: string): URL => new URL(`../${path}`, import.meta.url)

const current = (path: string): string | undefined => {
  try {
    return readFileSync(fileOf(path), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Paths of the pages that differ from their tables. */
export const drifted = (): readonly string[] =>
  pages.filter(({ path, render }) => current(path) !== render()).map(({ path }) => path)

/** In their order, so that a copy of a page comes after it. @returns the paths that were not up to date */
const write = (): readonly string[] =>
  pages.flatMap(({ path, render }) => {
    const text = render()
    if (current(path) === text) return []
    mkdirSync(new URL('.', fileOf(path)), { recursive: true })
    writeFileSync(fileOf(path), text)
    return [path]
  })

const run = (check: boolean): number => {
  if (check) {
    const stale = drifted()
    for (const path of stale) process.stderr.write(`${path} is not up to date; run \`npm run generate\`\n`)
    return stale.length === 0 ? 0 : 1
  }
  const written = write()
  process.stdout.write(
    written.length === 0 ? 'every page is up to date\n' : `written: ${written.join(', ')}\n`,
  )
  return 0
}

if (import.meta.main) process.exitCode = run(process.argv.includes('--check'))
