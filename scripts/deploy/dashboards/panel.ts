/**
 * Grafana's dashboards as plain objects in its classic schema, which Grafana 12 and 13 read and migrate by themselves.
 * A panel is a title, a unit, and queries of recorded series; everything else is said here once.
 */
import type { RuleName } from '../../../telemetry/rules.ts'

/** A recorded series, and what is asked of it. */
export interface Query {
  readonly of: RuleName
  /** Label matchers, such as `pipeline=~"$pipeline"`. */
  readonly where?: string
  /** An aggregation over it, such as `sum` or `max by (slot)`. */
  readonly by?: string
  /** Legend, with labels as `{{label}}`. */
  readonly as?: string
}

export interface Link {
  readonly title: string
  readonly url: string
}

export interface Panel {
  readonly kind: 'stat' | 'timeseries' | 'state-timeline' | 'table'
  readonly title: string
  readonly description: string
  /** Grafana's name of a unit, such as `s`, `bytes`, `percentunit`. */
  readonly unit?: string
  /** Of a stat: from this value on it is red. */
  readonly redFrom?: number
  /** Of a stat: below this value it is red. */
  readonly redBelow?: number
  /** Value -> the word that is shown for it. */
  readonly words?: Readonly<Record<string, string>>
  readonly stacked?: boolean
  readonly links?: readonly Link[]
  readonly queries: readonly Query[]
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

type Json = Readonly<Record<string, unknown>>

/** How Grafana reads a variable. */
export const variable = (name: string): string => `$\{${name}}`

export const DATASOURCE = { type: 'prometheus', uid: variable('datasource') }
const WIDTH = 24
const STAT = { w: 4, h: 4 }
const WIDE = { w: 12, h: 8 }

export const exprOf = ({ of, where, by }: Query): string => {
  const series = where === undefined ? of : `${of}{${where}}`
  return by === undefined ? series : `${by} (${series})`
}

const REFS = 'ABCDEFGH'

const target = (kind: Panel['kind'], query: Query, index: number): Json => {
  const instant = kind === 'stat' || kind === 'table'
  return {
    refId: REFS[index],
    datasource: DATASOURCE,
    editorMode: 'code',
    expr: exprOf(query),
    legendFormat: query.as ?? '__auto',
    range: !instant,
    instant,
    ...(kind === 'table' && { format: 'table' }),
  }
}

const steps = ({ kind, redFrom, redBelow }: Panel): readonly Json[] => {
  if (kind === 'state-timeline')
    return [
      { color: 'transparent', value: null },
      { color: 'green', value: 1 },
    ]
  if (redBelow !== undefined)
    return [
      { color: 'red', value: null },
      { color: 'green', value: redBelow },
    ]
  const green = { color: 'green', value: null }
  return redFrom === undefined ? [green] : [green, { color: 'red', value: redFrom }]
}

const mappings = (words: Readonly<Record<string, string>>): readonly Json[] => [
  {
    type: 'value',
    options: Object.fromEntries(
      Object.entries(words).map(([value, text], index) => [value, { text, index }]),
    ),
  },
]

const custom: Readonly<Record<Panel['kind'], (panel: Panel) => Json>> = {
  stat: () => ({}),
  timeseries: ({ stacked = false }) => ({
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: stacked ? 30 : 10,
    showPoints: 'never',
    spanNulls: false,
    stacking: { group: 'A', mode: stacked ? 'normal' : 'none' },
  }),
  'state-timeline': () => ({ lineWidth: 0, fillOpacity: 80 }),
  table: () => ({ align: 'auto', filterable: true }),
}

const options: Readonly<Record<Panel['kind'], Json>> = {
  stat: {
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    colorMode: 'value',
    graphMode: 'none',
    justifyMode: 'auto',
    orientation: 'auto',
    textMode: 'auto',
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: 'standard',
  },
  timeseries: {
    legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  'state-timeline': {
    alignValue: 'left',
    mergeValues: true,
    rowHeight: 0.9,
    showValue: 'never',
    legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: false },
    tooltip: { mode: 'single', sort: 'none' },
  },
  table: { cellHeight: 'sm', frameIndex: 0, showHeader: true },
}

/** In a table the time and the name say nothing. */
const transformations: readonly Json[] = [
  { id: 'organize', options: { excludeByName: { Time: true, __name__: true }, renameByName: {} } },
]

const panelOf = (panel: Panel, id: number, gridPos: Json): Json => ({
  id,
  type: panel.kind,
  title: panel.title,
  description: panel.description,
  gridPos,
  datasource: DATASOURCE,
  targets: panel.queries.map((query, index) => target(panel.kind, query, index)),
  fieldConfig: {
    defaults: {
      unit: panel.unit ?? 'short',
      color: { mode: panel.kind === 'timeseries' ? 'palette-classic' : 'thresholds' },
      custom: custom[panel.kind](panel),
      mappings: panel.words === undefined ? [] : mappings(panel.words),
      thresholds: { mode: 'absolute', steps: steps(panel) },
      ...(panel.kind === 'timeseries' && { min: 0 }),
      ...(panel.links && { links: panel.links.map((link) => ({ ...link, targetBlank: false })) }),
    },
    overrides: [],
  },
  options: options[panel.kind],
  ...(panel.kind === 'table' && { transformations }),
})

const sizeOf = ({ kind }: Panel): { readonly w: number; readonly h: number } =>
  kind === 'stat' ? STAT : WIDE

/** Panels from left to right, from row to row; ids count up. */
export const laidOut = (rows: readonly Row[]): readonly Json[] => {
  const placed: Json[] = []
  let y = 0
  for (const { title, panels } of rows) {
    const gridPos = { x: 0, y, w: WIDTH, h: 1 }
    placed.push({ id: placed.length + 1, type: 'row', title, collapsed: false, gridPos, panels: [] })
    y += 1
    let x = 0
    let height = 0
    for (const panel of panels) {
      const { w, h } = sizeOf(panel)
      if (x + w > WIDTH) {
        x = 0
        y += height
      }
      placed.push(panelOf(panel, placed.length + 1, { x, y, w, h }))
      x += w
      height = h
    }
    y += height
  }
  return placed
}
