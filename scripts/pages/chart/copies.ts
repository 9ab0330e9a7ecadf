/** Rules and dashboards in the Helm chart: a chart can hold only what lies in its own folder, so each is a copy of the one source. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export interface Copy {
  readonly path: string
  readonly render: () => string
}

const deploy = new URL('../../../deploy/', import.meta.url)

const namesIn = (folder: string, fits: RegExp): readonly string[] => {
  const place = new URL(folder, deploy)
  return existsSync(place)
    ? readdirSync(place)
        .filter((name) => fits.test(name))
        .sort()
    : []
}

/** Folder of the sources, which of its files, and the chart's folder. */
const sources = [
  ['prometheus/', /^(rules|alerts)\.yml$/, 'prometheus/'],
  ['grafana/dashboards/', /\.json$/, 'dashboards/'],
] as const

export const chartCopies: readonly Copy[] = sources.flatMap(([from, fits, to]) =>
  namesIn(from, fits).map((name) => ({
    path: `deploy/helm/millrace/files/${to}${name}`,
    render: () => readFileSync(new URL(from + name, deploy), 'utf8'),
  })),
)
