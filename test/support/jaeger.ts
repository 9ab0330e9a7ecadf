/** A real Jaeger for tests: takes spans as OTLP over HTTP, keeps them in memory, gives them back as trees. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts, LOOPBACK } from '../../cli/services/ports.ts'
import { awaitReady, startProcess } from '../../cli/services/process.ts'
import { readSettings } from '../../cluster/settings.ts'
import { type ApiTrace, type JaegerTrace, outline, treeOf } from './jaeger-api.ts'
import { ensureJaeger } from './jaeger-install.ts'

export interface TraceQuery {
  /** Absent: of every service. */
  readonly service?: string
  /** Name of a span. */
  readonly operation?: string
  /** Of one span, all of them: numbers as text as well. */
  readonly tags?: Readonly<Record<string, string>>
  /** Of each service; the newest traces. */
  readonly limit?: number
}

export interface Jaeger extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`; traces go to `/v1/traces` below it. */
  readonly otlpUrl: string
  readonly queryUrl: string
  services(): Promise<readonly string[]>
  /** Undefined where it does not know it (yet). */
  trace(traceId: string): Promise<JaegerTrace | undefined>
  traces(query?: TraceQuery): Promise<readonly JaegerTrace[]>
  /** The first trace that fits, once it is there. @throws Error with the traces it saw instead, after so long */
  awaitTrace(
    fits: (trace: JaegerTrace) => boolean,
    deadlineMs: number,
    query?: TraceQuery,
  ): Promise<JaegerTrace>
}

const START_MS = 60_000
const LOOK_MS = 50
const LIMIT = 1000
const NOT_FOUND = 404

/** One of the test's own, for `await using`. */
export const startJaeger = async (): Promise<Jaeger> => {
  const dataDir = resolve(readSettings({}).dataDir)
  const command = await ensureJaeger(dataDir, (line) => console.error(line))
  const folder = await mkdtemp(join(tmpdir(), 'millrace-jaeger-'))
  const [otlp = 0, query = 0, admin = 0] = await freePorts(3)
  const process = await startProcess({
    name: 'Jaeger',
    // It traces itself, to a collector that is not the test's.
    command: 'env',
    args: [
      'OTEL_TRACES_SAMPLER=always_off',
      'SPAN_STORAGE_TYPE=memory',
      command,
      ...argsFor({ otlp, query, admin }),
    ],
    cwd: folder,
    logFile: join(folder, 'jaeger.log'),
  })
  // Its health says so once collector and query both listen.
  await awaitReady(process, () => answers(`http://${LOOPBACK}:${admin}/`), START_MS)
  const queryUrl = `http://${LOOPBACK}:${query}`
  return {
    otlpUrl: `http://${LOOPBACK}:${otlp}`,
    queryUrl,
    ...reader(queryUrl),
    async [Symbol.asyncDispose]() {
      // Its spans go: an orderly end would only cost time.
      await process.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What nobody asks for listens on ports that the system picks. */
const argsFor = (ports: { readonly otlp: number; readonly query: number; readonly admin: number }) => {
  const at = (port: number) => `${LOOPBACK}:${port}`
  const flags = {
    'collector.otlp.http.host-port': at(ports.otlp),
    'query.http-server.host-port': at(ports.query),
    'admin.http.host-port': at(ports.admin),
    'collector.otlp.grpc.host-port': at(0),
    'collector.http-server.host-port': at(0),
    'collector.grpc-server.host-port': at(0),
    'query.grpc-server.host-port': at(0),
    'http-server.host-port': at(0),
    'processor.jaeger-binary.server-host-port': at(0),
    'processor.jaeger-compact.server-host-port': at(0),
    'processor.zipkin-compact.server-host-port': at(0),
  }
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
}

const answers = async (url: string): Promise<boolean> => {
  const reply = await fetch(url).catch(() => undefined)
  await reply?.arrayBuffer()
  return reply?.ok ?? false
}

/** @throws Error with what it says where it refuses; undefined where there is nothing */
const ask = async <T>(url: string): Promise<T | undefined> => {
  const reply = await fetch(url)
  if (reply.status === NOT_FOUND) {
    await reply.arrayBuffer()
    return undefined
  }
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${await reply.text()}`)
  return ((await reply.json()) as { readonly data: T | null }).data ?? undefined
}

const searchOf = ({ operation, tags, limit = LIMIT }: TraceQuery, service: string): string =>
  String(
    new URLSearchParams({
      service,
      limit: String(limit),
      ...(operation !== undefined && { operation }),
      ...(tags !== undefined && { tags: JSON.stringify(tags) }),
    }),
  )

const reader = (url: string): Pick<Jaeger, 'services' | 'trace' | 'traces' | 'awaitTrace'> => {
  const services = async () => (await ask<readonly string[]>(`${url}/api/services`)) ?? []
  const trace = async (traceId: string) => {
    const found = await ask<readonly ApiTrace[]>(`${url}/api/traces/${traceId}`)
    return found?.[0] && treeOf(found[0])
  }
  const traces = async (query: TraceQuery = {}) => {
    const asked = query.service === undefined ? await services() : [query.service]
    const found = await Promise.all(
      asked.map((service) => ask<readonly ApiTrace[]>(`${url}/api/traces?${searchOf(query, service)}`)),
    )
    // A trace over several services is found by each of them.
    const byId = new Map(found.flatMap((some) => some ?? []).map((one) => [one.traceID, one]))
    return [...byId.values()].map(treeOf)
  }
  const awaitTrace: Jaeger['awaitTrace'] = async (fits, deadlineMs, query) => {
    const deadline = performance.now() + deadlineMs
    for (;;) {
      const seen = await traces(query)
      const found = seen.find(fits)
      if (found !== undefined) return found
      if (performance.now() > deadline)
        throw new Error(
          `no such trace within ${deadlineMs / 1000} s, but ${seen.length} others:\n${seen.map(({ roots }) => outline(roots)).join('\n\n')}`,
        )
      await delay(LOOK_MS)
    }
  }
  return { services, trace, traces, awaitTrace }
}
