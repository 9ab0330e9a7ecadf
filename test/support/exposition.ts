/**
 * Processes that are none: HTTP servers that answer `/metrics` with every metric of telemetry/metrics.ts that such a process
 * has, with all its labels, and a coordinator's `/sd/prometheus` that names them. Counters rise with time.
 */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Metric, metrics, type Role, sdkMetrics } from '../../telemetry/metrics.ts'

type Values = Readonly<Record<string, readonly string[]>>

/** What a label may say, of a few. */
const valuesOf: Values = {
  pipeline: ['user-login'],
  partition: ['0', '1'],
  slot: ['0', '1'],
  outcome: ['done', 'dead', 'drop', 'retry'],
  state: ['running', 'owned', 'unowned'],
  code: ['not-json', 'position-gap'],
  run: ['first', 'later'],
  stage: ['mailbox', 'pool', 'run', 'ready', 'commit', 'publish'],
  reason: ['mailbox', 'parked'],
  cause: ['timeout', 'exit'],
  class: ['not-json'],
  index: ['logins'],
  role: ['worker'],
  version: ['0.1.0'],
  id: ['a'],
  mode: ['user', 'system'],
  quantile: ['0.5', '0.99', '1'],
}

/** Every combination of the labels' values, as between braces. */
const combinations = (labels: readonly string[]): readonly string[] =>
  labels.reduce<readonly string[]>(
    (told, label) => {
      const values = valuesOf[label]
      if (values === undefined) throw new Error(`say in exposition.ts what the label ${label} may be`)
      return told.flatMap((before) => values.map((value) => `${before}${before && ','}${label}="${value}"`))
    },
    [''],
  )

const line = (name: string, labels: string, value: number): string => `${name}{${labels}} ${value}`

const histogram = (name: string, labels: string, buckets: readonly number[], count: number): string[] => [
  ...[...buckets, '+Inf'].map((le, index) =>
    line(
      `${name}_bucket`,
      `${labels}${labels && ','}le="${le}"`,
      (count * (index + 1)) / (buckets.length + 1),
    ),
  ),
  line(`${name}_sum`, labels, count * (buckets[2] ?? 1)),
  line(`${name}_count`, labels, count),
]

const PER_SECOND = 60

/** @param seconds since the process began */
const linesOf = ([name, metric]: readonly [string, Metric], seconds: number): readonly string[] =>
  combinations(metric.labels).flatMap((labels) => {
    if (metric.kind === 'gauge') return [line(name, labels, 1)]
    const count = Math.round(seconds * PER_SECOND)
    return metric.kind === 'histogram'
      ? histogram(name, labels, metric.buckets ?? [], count)
      : [line(name, labels, count)]
  })

const dropped = (seconds: number): readonly string[] =>
  Object.keys(sdkMetrics).map((name) => line(name, 'error_type="queue_full"', seconds))

/** What a process of that role says. */
export const exposition = (role: Exclude<Role, 'every'>, seconds: number): string => {
  const own = Object.entries<Metric>(metrics).filter(([, one]) => one.role === role || one.role === 'every')
  return [...own.flatMap((one) => linesOf(one, seconds)), ...dropped(seconds), ''].join('\n')
}

export interface Served {
  readonly port: number
  close(): Promise<void>
}

export const serve = async (listener: RequestListener): Promise<Served> => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const roles = ['worker', 'coordinator', 'sink'] as const

export interface Processes {
  /** Of the coordinator's discovery. */
  readonly url: string
  /** How often somebody came to it without the token. */
  refused(): number
  close(): Promise<void>
}

/** One process of each role, and a discovery that wants that token. */
export const startProcesses = async (token: string): Promise<Processes> => {
  const began = performance.now()
  const processes = await Promise.all(
    roles.map(async (role) => {
      const process = await serve((_, response) => {
        response.setHeader('content-type', 'text/plain; version=0.0.4')
        response.end(exposition(role, (performance.now() - began) / 1000))
      })
      return { role, process }
    }),
  )
  const groups = processes.map(({ role, process }) => ({
    targets: [`127.0.0.1:${process.port}`],
    labels: { millrace_role: role, millrace_process: role, millrace_pipeline: 'user-login' },
  }))
  let refused = 0
  const discovery = await serve((request, response) => {
    const open = request.url === '/sd/prometheus' && request.headers.authorization === `Bearer ${token}`
    if (!open) refused++
    response.writeHead(open ? 200 : 401, { 'content-type': 'application/json' })
    response.end(open ? JSON.stringify(groups) : '')
  })
  return {
    url: `http://127.0.0.1:${discovery.port}/sd/prometheus`,
    refused: () => refused,
    async close() {
      for (const { close } of [discovery, ...processes.map(({ process }) => process)]) await close()
    },
  }
}
