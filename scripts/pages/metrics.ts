import { SpanKind } from '@opentelemetry/api'
import { logLines } from '../../telemetry/log.ts'
import { type Metric, metricGroups, sdkMetrics } from '../../telemetry/metrics.ts'
import { attributes, spans } from '../../telemetry/spans.ts'
import { madeFrom, markdownTable } from './markdown.ts'

const code = (text: string): string => `\`${text}\``

const metricRow = ([name, { kind, labels, unit, doc }]: readonly [string, Metric]): readonly string[] => [
  code(name),
  kind.replace('observed-', ''),
  labels.map(code).join(', '),
  unit,
  doc,
]

const group = ([title, metrics]: readonly [string, object]): string => {
  const rows = Object.entries(metrics as Readonly<Record<string, Metric>>).map(metricRow)
  return `### ${title}\n\n${markdownTable(['name', 'kind', 'labels', 'unit', 'meaning'], rows)}\n`
}

const spanRows = Object.entries(spans).map(([name, span]) => [
  code('operationType' in span ? `${name} <topic>` : name),
  SpanKind[span.kind].toLowerCase(),
  span.doc,
])

const attributeRows = Object.values(attributes).map(({ key, doc }) => [code(key), doc])

const lineRows = Object.entries(logLines).map(([name, { level }]) => [code(name), level])

export const metricsPage = (): string =>
  `${madeFrom('telemetry/metrics.ts, spans.ts and log.ts')}
# Metrics, spans and log events

How they are read, and where they are sent: [telemetry.md](telemetry.md). No metric, span or log line holds a key, a value, an address or an id of a user.

## Metrics

Of a histogram there are \`_bucket\`, \`_sum\` and \`_count\`.

${Object.entries(metricGroups).map(group).join('\n')}
### From the OpenTelemetry SDK

${markdownTable(
  ['name', 'meaning'],
  Object.entries(sdkMetrics).map(([name, doc]) => [code(name), doc]),
)}

## Spans

${markdownTable(['name', 'kind', 'meaning'], spanRows)}

### Attributes

${markdownTable(['key', 'value'], attributeRows)}

## Log events

Each line has \`level\`, \`time\`, \`who\` (the process), \`event\`, \`msg\` and the numbers of the event; a line about a traced record has \`trace_id\` and \`span_id\`.
Beside these events: \`told\` (what a process says of itself) and \`failures\` (drops, dead letters and retries by code, summed up over 10 s).

${markdownTable(['event', 'level'], lineRows)}
`
