import { type Setting, settingsGroups } from '../../cluster/settings/table.ts'
import { OPTION_PREFIX } from '../../cluster/settings.ts'
import { madeFrom, markdownTable } from './markdown.ts'

const code = (text: string): string => (text === '' ? '' : `\`${text}\``)

const row = (setting: Setting<unknown>): readonly string[] => [
  code(setting.env),
  setting.kind.doc,
  setting.shownDefault ?? code(setting.kind.show(setting.default)),
  setting.hide === undefined ? setting.doc : `${setting.doc} (secret)`,
]

const group = ([title, settings]: readonly [string, object]): string => {
  const rows = (Object.values(settings) as readonly Setting<unknown>[]).map(row)
  return `## ${title}\n\n${markdownTable(['name', 'value', 'default', 'meaning'], rows)}\n`
}

export const settingsPage = (): string =>
  `${madeFrom('cluster/settings/table.ts')}
# Settings

Millrace is set by environment variables. \`millrace settings\` shows what counts and where it comes from.

- An empty value counts as none. An unknown \`MILLRACE_*\` name stops every command, with the nearest known name.
- Secrets are never shown whole. Each of them, and each secret option of a pipeline, may stand in a file that \`MILLRACE_<NAME>_FILE\` names,
  as Kubernetes and Docker mount them; newlines at its end do not count. Both set, or a file that is empty or cannot be read, is an error.
- In Kubernetes each is a value of [the Helm chart](../deploy/helm/millrace/README.md).
- Durations are written \`500ms\`, \`60s\`, \`5m\`, \`1h\`; sizes \`65536\`, \`64KiB\`, \`16MiB\`.
- A pipeline's own options are \`${OPTION_PREFIX}<NAME>\`; \`OTEL_*\` belongs to the OpenTelemetry SDK; \`NO_COLOR\` is respected.
- Names that Kubernetes injects for a Service (\`_SERVICE_HOST\`, \`_SERVICE_PORT*\`, \`_PORT\`, \`_PORT_*\`) are ignored.

${Object.entries(settingsGroups).map(group).join('\n')}`
