/** Rules and dashboards travel in the chart: those of `deploy/` are copied by `npm run generate`, and whatever is copied is rendered. */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chartCopies } from '../../scripts/pages/chart/copies.ts'
import { chart, rendered, valuesOf } from './chart.ts'

const on = [
  '-f',
  valuesOf('minimal'),
  '--set',
  'metrics.prometheusRule.enabled=true,metrics.dashboards.enabled=true',
]

/** A chart with made-up rules and dashboards and none of its own. */
const withFiles = async (files: Readonly<Record<string, string>>) => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-chart-'))
  try {
    await cp(chart, folder, { recursive: true })
    for (const name of ['prometheus', 'dashboards']) {
      await rm(join(folder, 'files', name), { recursive: true, force: true })
      await mkdir(join(folder, 'files', name))
    }
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'files', name), text)
    return await rendered(on, folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('the rules of all files become one PrometheusRule, their own braces untouched', async () => {
  const alert = '{ alert: A, expr: up == 0, annotations: { summary: "{{ $labels.instance }} is down" } }'
  const manifests = await withFiles({
    'prometheus/alerts.yml': `groups: [{ name: alerts, rules: [${alert}] }]`,
    'prometheus/rules.yml': 'groups: [{ name: rules, rules: [{ record: a:b, expr: sum(a) }] }]',
  })
  const rules = manifests.filter(({ kind }) => kind === 'PrometheusRule')
  expect(rules).toMatchObject([
    {
      spec: {
        groups: [
          { name: 'alerts', rules: [{ annotations: { summary: '{{ $labels.instance }} is down' } }] },
          { name: 'rules', rules: [{ record: 'a:b' }] },
        ],
      },
    },
  ])
})

test('each dashboard becomes a ConfigMap that Grafana finds, to the letter', async () => {
  const text = '{\n  "title": "{{ not a template }}",\n  "panels": []\n}'
  const manifests = await withFiles({ 'dashboards/overview.json': text })
  const boards = manifests.filter(
    ({ kind, metadata }) => kind === 'ConfigMap' && /dashboard/.test(metadata.name),
  )
  expect(boards).toMatchObject([
    {
      metadata: { name: 'it-millrace-dashboard-overview', labels: { grafana_dashboard: '1' } },
      data: { 'millrace-overview.json': text },
    },
  ])
})

test('without any, nothing of it is rendered', async () => {
  const kinds = (await withFiles({})).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  expect(kinds.filter((kind) => /PrometheusRule|dashboard/.test(kind))).toEqual([])
})

test('the chart holds the copies there should be and no stale one', async () => {
  const there = await readdir(join(chart, 'files'), { recursive: true, withFileTypes: true })
  const paths = there.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  const wanted = ['deploy/helm/millrace/files/settings.json', ...chartCopies.map(({ path }) => path)]
  expect(paths.map((path) => path.slice(path.indexOf('deploy/helm/'))).toSorted()).toEqual(wanted.toSorted())
  const rules = (await rendered(on)).filter(({ kind }) => kind === 'PrometheusRule')
  expect(rules).toHaveLength(chartCopies.some(({ path }) => path.endsWith('.yml')) ? 1 : 0)
})
