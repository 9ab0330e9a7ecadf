/**
 * What the chart renders runs: its commands with its environment and its secrets as files, as processes on real Kafka and Redis,
 * asked by its own probes. What a cluster does with the manifests is not tried here.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../cli/services/ports.ts'
import { sleep, systemClock } from '../../cluster/actor/clock.ts'
import { millrace, start } from '../cli/millrace.ts'
import { uniqueName, useServices } from '../support/services.ts'
import { type Container, environmentOf, type Manifest, processesIn, rendered, valuesOf } from './chart.ts'

const TOKEN = 'a-token-of-the-chart-0123456789'
const RECORDS = 200

let folder = ''
let manifests: readonly Manifest[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-chart-run-'))
  const { kafka, redis } = await useServices()
  const name = uniqueName('chart')
  const sets = [
    `settings.kafkaBrokers={${kafka.join(',')}}`,
    `settings.redisUrl=${redis},settings.clusterId=${name},settings.topicPrefix=${name}.`,
    'secretKeys.httpToken=http-token',
  ]
  manifests = await rendered(['-f', valuesOf('minimal'), ...sets.flatMap((set) => ['--set', set])])
})
afterAll(() => rm(folder, { recursive: true }))

interface Running {
  readonly child: ReturnType<typeof start>
  readonly container: Container
  readonly metrics: string
  readonly http: string
}

/** All on one machine: ports of their own, and loopback for the pod's address. */
const run = async (container: Container): Promise<Running> => {
  const place = { folder, podIP: '127.0.0.1', secretOf: () => TOKEN }
  const [metricsPort, httpPort] = [String(await freePort()), String(await freePort())]
  const env = {
    ...(await environmentOf(manifests, container, place)),
    MILLRACE_METRICS_PORT: metricsPort,
    ...(container.name === 'coordinator' && { MILLRACE_HTTP_PORT: httpPort }),
  }
  const at = (port: string) => `http://127.0.0.1:${port}`
  return { child: start(container.args ?? [], env), container, metrics: at(metricsPort), http: at(httpPort) }
}

/** Fails by the test's own timeout. */
const answers = async (url: string, status: number, headers = {}): Promise<string> => {
  for (;;) {
    const answer = await fetch(url, { headers }).catch(() => undefined)
    if (answer?.status === status) return answer.text()
    await sleep(systemClock, 100)
  }
}

test('coordinator and worker come up, are probed, audited and drained', { timeout: 240_000 }, async () => {
  const processes = processesIn(manifests)
  expect(processes.map(([, { name }]) => name).toSorted()).toEqual(['coordinator', 'worker'])
  const { data = {} } = manifests.find(({ kind }) => kind === 'ConfigMap') as Manifest
  expect(await millrace(['topics', 'create'], { env: data })).toMatchObject({ code: 0 })
  const running = await Promise.all(processes.map(([, container]) => run(container)))
  try {
    for (const { container, metrics, http } of running) {
      const { startupProbe, livenessProbe, readinessProbe } = container
      for (const probe of [startupProbe, livenessProbe, readinessProbe])
        await answers(`${metrics}${probe?.httpGet.path}`, 200)
      expect(await answers(`${metrics}/metrics`, 200)).toContain('millrace_')
      if (container.name === 'worker') continue
      await answers(`${http}/api/status`, 401)
      await answers(`${http}/api/status`, 200, { authorization: `Bearer ${TOKEN}` })
    }
    const made = await millrace(['generate', '--count', String(RECORDS), '--rate', '500'], { env: data })
    expect(made, made.stderr).toMatchObject({ code: 0 })
    for (;;) {
      const { code, stdout } = await millrace(['audit'], { env: data })
      expect(code, stdout).toBe(0)
      if (new RegExp(`^total +${RECORDS} `, 'm').test(stdout)) break
    }
  } finally {
    for (const { child } of running) child.kill('SIGTERM')
    for (const { child, container } of running) {
      const { code, stderr } = await child.run
      expect(code, `${container.name}: ${stderr}`).toBe(0)
    }
  }
})
