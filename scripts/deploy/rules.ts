/** The rule files of Prometheus, from their tables. A JSON string is a YAML string as well, so nothing has to be escaped. */
import { type Alert, alertGroups, alertName, runbookOf } from '../../telemetry/alerts.ts'
import { ruleGroups } from '../../telemetry/rules.ts'

type Fields = Readonly<Record<string, string | undefined>>

const text = JSON.stringify

const fields = (indent: string, of: Fields): readonly string[] =>
  Object.entries(of).flatMap(([name, value]) =>
    value === undefined ? [] : [`${indent}${name}: ${text(value)}`],
  )

/** A rule is a list item: its first field stands behind the dash. */
const item = ([first = '', ...rest]: readonly string[]): string =>
  [first.replace(/^ {8}/, '      - '), ...rest].join('\n')

const recording = ([record, expr]: readonly [string, string]): string =>
  item(fields('        ', { record, expr }))

const alerting = ([key, alert]: readonly [string, Alert]): string => {
  const { expr, severity, summary, description } = alert
  return item([
    ...fields('        ', { alert: alertName(key), expr, for: alert.for }),
    '        labels:',
    ...fields('          ', { severity }),
    '        annotations:',
    ...fields('          ', { summary, description, runbook_url: runbookOf(key) }),
  ])
}

const group = (name: string, rules: readonly string[]): string =>
  [`  - name: ${name}`, '    rules:', ...rules].join('\n')

const file = (table: string, groups: readonly string[]): string =>
  [`# Made from ${table} by \`npm run generate\`: change it there.`, 'groups:', ...groups, ''].join('\n')

export const rulesFile = (): string =>
  file(
    'telemetry/rules.ts',
    Object.entries(ruleGroups).map(([name, rules]) => group(name, Object.entries(rules).map(recording))),
  )

export const alertsFile = (): string =>
  file(
    'telemetry/alerts.ts',
    Object.entries(alertGroups).map(([name, alerts]) =>
      group(`${name}-alerts`, Object.entries(alerts).map(alerting)),
    ),
  )
