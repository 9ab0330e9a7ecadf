import type { RuleName } from '../../../telemetry/rules.ts'
import { DATASOURCE, laidOut, type Row } from './panel.ts'

export interface Variable {
  readonly name: string
  /** A recorded series that has the label of that name. */
  readonly from: RuleName
  readonly where?: string
  /** Several of them, or all. */
  readonly many: boolean
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly variables: readonly Variable[]
  readonly rows: readonly Row[]
}

export const variableQuery = ({ name, from, where }: Variable): string =>
  `label_values(${where === undefined ? from : `${from}{${where}}`}, ${name})`

const variableOf = (variable: Variable) => ({
  name: variable.name,
  label: variable.name,
  type: 'query',
  datasource: DATASOURCE,
  definition: variableQuery(variable),
  query: {
    qryType: 1,
    query: variableQuery(variable),
    refId: `PrometheusVariableQueryEditor-${variable.name}`,
  },
  // Numbers in their order; read anew when the time range changes.
  sort: 3,
  refresh: 2,
  regex: '',
  hide: 0,
  includeAll: variable.many,
  multi: variable.many,
  ...(variable.many && { allValue: '.*', current: { text: ['All'], value: ['$__all'] } }),
  options: [],
})

const source = {
  name: 'datasource',
  label: 'data source',
  type: 'datasource',
  query: 'prometheus',
  hide: 0,
  includeAll: false,
  multi: false,
  options: [],
  refresh: 1,
  regex: '',
}

/** Keeps variables and time on the way from one dashboard of ours to the other. */
const link = {
  type: 'dashboards',
  title: 'Millrace',
  tags: ['millrace'],
  asDropdown: false,
  includeVars: true,
  keepTime: true,
  icon: 'external link',
  targetBlank: false,
  tooltip: '',
  url: '',
}

/** The file that Grafana reads. */
export const dashboardJson = ({ uid, title, description, variables, rows }: Dashboard): string =>
  `${JSON.stringify(
    {
      uid,
      title,
      description: `${description} Made by \`npm run generate\`.`,
      tags: ['millrace'],
      schemaVersion: 41,
      version: 1,
      editable: true,
      graphTooltip: 1,
      timezone: 'browser',
      refresh: '10s',
      time: { from: 'now-30m', to: 'now' },
      timepicker: {},
      fiscalYearStartMonth: 0,
      annotations: { list: [] },
      links: [link],
      templating: { list: [source, ...variables.map(variableOf)] },
      panels: laidOut(rows),
    },
    undefined,
    2,
  )}\n`
