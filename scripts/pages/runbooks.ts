import { type Alert, alertName, alerts } from '../../telemetry/alerts.ts'
import { madeFrom, markdownTable } from './markdown.ts'

/** `{{ $labels.pipeline }}` reads as `<pipeline>`. */
const readable = (text: string): string => text.replace(/\{\{ \$labels\.([a-z_]+) \}\}/g, '`<$1>`')

const row = ([key, { severity, summary }]: readonly [string, Alert]): readonly string[] => [
  `[${alertName(key)}](${key}.md)`,
  severity,
  readable(summary),
]

export const runbooksPage = (): string =>
  `${madeFrom('telemetry/alerts.ts')}
# Runbooks

One page for each alert of [deploy/prometheus/alerts.yml](../../deploy/prometheus/alerts.yml): what it means, how to look, what to do. How to set them up:
[monitoring](../monitoring.md). Halts have runbooks of their own in [guarantees](../guarantees.md#when-a-shard-halts); lines of the log and codes of records stand in
[troubleshooting](../troubleshooting.md).

\`critical\`: records wait, or may be lost; look now. \`warning\`: it will hurt; look today. \`info\`: worth knowing.

${markdownTable(['alert', 'severity', 'says'], Object.entries(alerts).map(row))}
`
