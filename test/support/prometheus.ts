/**
 * A real Prometheus of the test's own, on a free loopback port.
 * The programs come from the system's packages (prometheus-install.ts); `npm test` looks after that first.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Ran, run } from '../../cli/services/run.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { installedPrometheus } from './prometheus-install.ts'

export interface PrometheusOptions {
  /** Targets that are always there: `host:port` of a `/metrics`. */
  readonly targets?: readonly string[]
  /** Targets that an HTTP service names, such as the coordinator's `/sd/prometheus`; asked once a second. */
  readonly discovery?: { readonly url: string; readonly token?: string }
  /** Paths of rule files. */
  readonly rules?: readonly string[]
  /** A configuration of its own instead of all that: the whole text. */
  readonly config?: string
  readonly scrapeMs?: number
  readonly evaluationMs?: number
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** [Unix time in seconds, value], the oldest first. */
  readonly points: readonly (readonly [number, number])[]
}

export interface Target {
  readonly url: string
  readonly health: 'up' | 'down' | 'unknown'
  readonly labels: Readonly<Record<string, string>>
  readonly lastError: string
}

export interface Prometheus {
  readonly url: string
  /** @throws Error with Prometheus's own words about a wrong query */
  query(expr: string): Promise<readonly Sample[]>
  /** @param range times in Unix seconds, step in seconds */
  queryRange(
    expr: string,
    range: { readonly start: number; readonly end: number; readonly step: number },
  ): Promise<readonly Series[]>
  /** What the query gives once that is as wanted (some series, unless said otherwise). @throws Error after the deadline */
  seen(
    expr: string,
    deadlineMs: number,
    holds?: (samples: readonly Sample[]) => boolean,
  ): Promise<readonly Sample[]>
  targets(): Promise<readonly Target[]>
  /** Path below /api/v1, such as `rules`. */
  api<T>(path: string, parameters?: Readonly<Record<string, string>>): Promise<T>
  stop(): Promise<void>
}

const programs = () => {
  const found = installedPrometheus()
  if (found === undefined) throw new Error('no prometheus on the path')
  return found
}

export const promtool = (args: readonly string[]): Promise<Ran> => run(programs().promtool, args)

export const startPrometheus = async (options: PrometheusOptions): Promise<Prometheus> => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-prometheus-'))
  const file = join(folder, 'prometheus.yml')
  await writeFile(file, options.config ?? configOf(options))
  const child = spawn(
    programs().prometheus,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const exited = once(child, 'exit')
  const killer = () => child.kill('SIGKILL')
  process.once('exit', killer)
  const stop = async (): Promise<void> => {
    process.off('exit', killer)
    child.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true, force: true })
  }
  try {
    return new Client(`http://127.0.0.1:${await portOf(child)}`, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

/** JSON is YAML. */
const configOf = (options: PrometheusOptions): string => {
  const { targets = [], discovery, rules = [], scrapeMs = 500, evaluationMs = 1000 } = options
  const token = discovery?.token
  const http = discovery && {
    url: discovery.url,
    refresh_interval: '1s',
    ...(token !== undefined && { authorization: { type: 'Bearer', credentials: token } }),
  }
  return JSON.stringify({
    global: {
      scrape_interval: `${scrapeMs}ms`,
      scrape_timeout: `${scrapeMs}ms`,
      evaluation_interval: `${evaluationMs}ms`,
    },
    rule_files: rules,
    scrape_configs: [
      {
        job_name: 'millrace',
        ...(targets.length > 0 && { static_configs: [{ targets }] }),
        ...(http && { http_sd_configs: [http] }),
      },
    ],
  })
}

/** It names its port, and later that it is ready. */
const portOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    if (child.stderr === null) throw new Error('its words are not heard')
    const said: string[] = []
    let port: number | undefined
    createInterface(child.stderr).on('line', (line) => {
      said.push(line)
      port ??= Number(/msg="Listening on".* address=127\.0\.0\.1:(\d+)/.exec(line)?.[1]) || undefined
      if (port !== undefined && line.includes('Server is ready to receive web requests')) resolve(port)
    })
    child.once('error', reject)
    child.once('close', () => reject(new Error(`Prometheus does not start: ${said.slice(-5).join('\n')}`)))
  })

type Labels = Readonly<Record<string, string>>

interface Found<T> {
  readonly result: readonly T[]
}

class Client implements Prometheus {
  readonly url: string
  readonly stop: () => Promise<void>

  constructor(url: string, stop: () => Promise<void>) {
    this.url = url
    this.stop = stop
  }

  async query(query: string): Promise<readonly Sample[]> {
    const { result } = await this.api<Found<{ metric: Labels; value: [number, string] }>>('query', { query })
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
  }

  async queryRange(
    query: string,
    range: { readonly start: number; readonly end: number; readonly step: number },
  ): Promise<readonly Series[]> {
    const { start, end, step } = range
    const parameters = { query, start: String(start), end: String(end), step: String(step) }
    const { result } = await this.api<Found<{ metric: Labels; values: [number, string][] }>>(
      'query_range',
      parameters,
    )
    return result.map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([time, value]) => [time, Number(value)] as const),
    }))
  }

  /** Prometheus tells nobody of what it has scraped or worked out: it is asked until it is so. */
  async seen(
    expr: string,
    deadlineMs: number,
    holds: (samples: readonly Sample[]) => boolean = (samples) => samples.length > 0,
  ): Promise<readonly Sample[]> {
    const end = performance.now() + deadlineMs
    for (;;) {
      const samples = await this.query(expr)
      if (holds(samples)) return samples
      if (performance.now() > end)
        throw new Error(`not within ${deadlineMs} ms: ${expr}, but ${JSON.stringify(samples)}`)
      await pause(LOOK_MS)
    }
  }

  async targets(): Promise<readonly Target[]> {
    interface Known {
      readonly activeTargets: readonly {
        readonly scrapeUrl: string
        readonly health: Target['health']
        readonly labels: Labels
        readonly lastError: string
      }[]
    }
    const { activeTargets } = await this.api<Known>('targets')
    return activeTargets.map(({ scrapeUrl, ...target }) => ({ ...target, url: scrapeUrl }))
  }

  async api<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const reply = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const body = (await reply.json()) as { readonly status: string; readonly error?: string; data: T }
    if (body.status !== 'success') throw new Error(`${path} ${JSON.stringify(parameters)}: ${body.error}`)
    return body.data
  }
}

const LOOK_MS = 100
