/**
 * The dashboard of logins as saved objects of OpenSearch Dashboards: what `deploy/opensearch/dashboard.ndjson` is made from.
 * Import it under Dashboards Management > Saved objects.
 */
import { loginMapping } from './mapping.ts'

export interface SavedObject {
  readonly type: 'index-pattern' | 'visualization' | 'dashboard'
  readonly id: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly references: readonly Reference[]
  /** As of which version the object is written: without it an import would migrate it from the oldest on. */
  readonly migrationVersion: Readonly<Record<string, string>>
}

export interface Reference {
  readonly name: string
  readonly type: SavedObject['type']
  readonly id: string
}

interface Aggregation {
  readonly id: string
  readonly enabled: true
  readonly type: 'count' | 'terms' | 'date_histogram'
  readonly schema: 'metric' | 'segment'
  readonly params: Readonly<Record<string, unknown>>
}

const INDEX = 'processed-user-login-index'
const TIME_FIELD = 'timestamp'
const PATTERN = 'millrace-logins'
const SOURCE_REF = 'kibanaSavedObjectMeta.searchSourceJSON.index'
/** Of labels that have no field; a record without the field is counted as well. */
const MISSING = '(none)'

const typesOfFields: Readonly<Record<string, string>> = { keyword: 'string', date: 'date' }

const fields = Object.entries(loginMapping.properties).map(([name, { type }]) => ({
  name,
  type: typesOfFields[type] ?? type,
  esTypes: [type],
  count: 0,
  scripted: false,
  searchable: true,
  aggregatable: true,
  readFromDocValues: true,
}))

const pattern: SavedObject = {
  type: 'index-pattern',
  id: PATTERN,
  attributes: { title: INDEX, timeFieldName: TIME_FIELD, fields: JSON.stringify(fields) },
  references: [],
  migrationVersion: { 'index-pattern': '7.6.0' },
}

const count: Aggregation = { id: '1', enabled: true, type: 'count', schema: 'metric', params: {} }

const terms = (field: keyof typeof loginMapping.properties, size: number): Aggregation => ({
  id: '2',
  enabled: true,
  type: 'terms',
  schema: 'segment',
  params: {
    field,
    orderBy: '1',
    order: 'desc',
    size,
    otherBucket: true,
    otherBucketLabel: '(other)',
    missingBucket: true,
    missingBucketLabel: MISSING,
  },
})

const overTime: Aggregation = {
  id: '2',
  enabled: true,
  type: 'date_histogram',
  schema: 'segment',
  params: {
    field: TIME_FIELD,
    useNormalizedOpenSearchInterval: true,
    interval: 'auto',
    drop_partials: false,
    min_doc_count: 1,
    extended_bounds: {},
  },
}

const visualization = (
  id: string,
  title: string,
  state: { readonly type: string; readonly params: object; readonly aggs?: readonly Aggregation[] },
): SavedObject => {
  const ofIndex = state.aggs !== undefined
  const source = { query: { query: '', language: 'kuery' }, filter: [] }
  const meta = ofIndex ? { ...source, indexRefName: SOURCE_REF } : source
  return {
    type: 'visualization',
    id: `millrace-${id}`,
    attributes: {
      title,
      visState: JSON.stringify({ aggs: [], ...state, title }),
      uiStateJSON: '{}',
      description: '',
      version: 1,
      kibanaSavedObjectMeta: { searchSourceJSON: JSON.stringify(meta) },
    },
    references: ofIndex ? [{ name: SOURCE_REF, type: 'index-pattern', id: PATTERN }] : [],
    migrationVersion: { visualization: '7.10.0' },
  }
}

const axes = (type: 'histogram' | 'line') => ({
  type,
  addTooltip: true,
  addLegend: true,
  legendPosition: 'right',
  categoryAxes: [
    { id: 'CategoryAxis-1', type: 'category', position: 'bottom', show: true, labels: { show: true } },
  ],
  valueAxes: [
    {
      id: 'ValueAxis-1',
      name: 'LeftAxis-1',
      type: 'value',
      position: 'left',
      show: true,
      scale: { type: 'linear', mode: 'normal' },
      labels: { show: true },
      title: { text: 'Logins' },
    },
  ],
  seriesParams: [
    {
      show: true,
      type,
      mode: 'normal',
      data: { label: 'Logins', id: '1' },
      valueAxis: 'ValueAxis-1',
      showCircles: true,
    },
  ],
})

const title = visualization('title', 'Title', {
  type: 'markdown',
  params: { markdown: '# Logins\nWhat Millrace has processed, by event time.', fontSize: 12 },
})
const byLocale = visualization('logins-by-locale', 'Logins by locale', {
  type: 'histogram',
  params: axes('histogram'),
  aggs: [count, terms('locale', 20)],
})
const devicePie = visualization('device-share', 'Share of device types', {
  type: 'pie',
  params: { type: 'pie', addTooltip: true, addLegend: true, legendPosition: 'right', isDonut: false },
  aggs: [count, terms('device_type', 10)],
})
const deviceBars = visualization('devices', 'Logins by device type', {
  type: 'histogram',
  params: axes('histogram'),
  aggs: [count, terms('device_type', 10)],
})
const timeline = visualization('logins-over-time', 'Logins over time', {
  type: 'line',
  params: axes('line'),
  aggs: [count, overTime],
})

/** Dashboards' grid is 48 wide. */
const panels: readonly (readonly [SavedObject, x: number, y: number, w: number, h: number])[] = [
  [title, 0, 0, 48, 5],
  [timeline, 0, 5, 48, 13],
  [byLocale, 0, 18, 24, 15],
  [devicePie, 24, 18, 12, 15],
  [deviceBars, 36, 18, 12, 15],
]

const dashboard: SavedObject = {
  type: 'dashboard',
  id: 'millrace-logins',
  attributes: {
    title: 'Millrace: logins',
    description: 'Logins by locale and device type, and over time',
    hits: 0,
    panelsJSON: JSON.stringify(
      panels.map(([, x, y, w, h], index) => ({
        version: '7.9.3',
        panelIndex: String(index),
        gridData: { x, y, w, h, i: String(index) },
        embeddableConfig: {},
        panelRefName: `panel_${index}`,
      })),
    ),
    optionsJSON: JSON.stringify({ useMargins: true, hidePanelTitles: false }),
    version: 1,
    timeRestore: true,
    timeFrom: 'now-15m',
    timeTo: 'now',
    refreshInterval: { pause: false, value: 1000 },
    kibanaSavedObjectMeta: {
      searchSourceJSON: JSON.stringify({ query: { query: '', language: 'kuery' }, filter: [] }),
    },
  },
  references: panels.map(([{ type, id }], index) => ({ name: `panel_${index}`, type, id })),
  migrationVersion: { dashboard: '7.9.3' },
}

export const savedObjects: readonly SavedObject[] = [
  pattern,
  title,
  byLocale,
  devicePie,
  deviceBars,
  timeline,
  dashboard,
]

/** One saved object a line, as an export has it. */
export const dashboardFile = (): string =>
  savedObjects.map((object) => `${JSON.stringify(object)}\n`).join('')
