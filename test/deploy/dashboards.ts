/** The shipped dashboards, read from their files. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../deploy/grafana/dashboards')

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string }[]
}

interface File {
  readonly uid: string
  readonly title: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly type: string; readonly definition?: string }[] }
}

export interface ReadDashboard extends Pick<File, 'uid' | 'title' | 'panels'> {
  readonly text: string
  readonly targets: readonly { readonly panel: string; readonly expr: string }[]
  /** Series of which a variable takes its values. */
  readonly variables: readonly { readonly expr: string; readonly label: string }[]
}

export const dashboards = (): readonly ReadDashboard[] =>
  readdirSync(folder).map((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    const { uid, title, panels, templating } = JSON.parse(text) as File
    return {
      uid,
      title,
      panels,
      text,
      targets: panels.flatMap((panel) =>
        (panel.targets ?? []).map(({ expr }) => ({ panel: panel.title, expr })),
      ),
      variables: templating.list.flatMap(({ definition = '' }) => {
        const [, expr, label] = /^label_values\((.+), ([a-z_]+)\)$/.exec(definition) ?? []
        return expr === undefined || label === undefined ? [] : [{ expr, label }]
      }),
    }
  })

/** As Grafana would ask it with these values chosen. */
export const chosen = (expr: string, values: Readonly<Record<string, string>>): string =>
  expr.replace(/\$([a-z]+)/g, (whole, name: string) => values[name] ?? whole)
