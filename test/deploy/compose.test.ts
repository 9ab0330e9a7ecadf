/** What docker-compose.yml promises, on the project that Compose's own loader makes of it. */

import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeAll, describe, expect, test } from 'vitest'
import { entries } from '../../cli/commands.ts'
import { run } from '../../cli/services/run.ts'
import { parseDuration, readSettings } from '../../cluster/settings.ts'
import { root, textOf } from '../house/tree.ts'
import { composeFile, load, ours, type Project, type Service } from './compose-file.ts'
import { environment, execForm } from './dockerfile.ts'
import { unknownSettings } from './names.ts'

const PROFILES = ['observability', 'search', 'tools']
let plain: Project
let all: Project
let services: readonly (readonly [string, Service])[]
const service = (name: string): Service => all.services[name] ?? expect.fail(`no service ${name}`)

beforeAll(async () => {
  plain = await load()
  all = await load(PROFILES)
  services = Object.entries(all.services)
})

test('without an .env there is everything that the plain command starts; the rest stands behind a profile', () => {
  expect(Object.keys(plain.services).toSorted()).toEqual([
    'coordinator',
    'generator',
    'jaeger',
    'kafka',
    'redis',
    'topics',
    'worker',
  ])
  const by = (profile: string) =>
    services.filter(([, { profiles = [] }]) => profiles.includes(profile)).map(([name]) => name)
  expect(PROFILES.map(by)).toEqual([
    ['grafana', 'prometheus'],
    ['opensearch', 'opensearch-dashboards', 'saved-objects', 'sink'],
    ['kafka-ui'],
  ])
})

test('the loader refuses what the schema does not know, and what is nowhere', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-compose-'))
  const file = join(folder, 'docker-compose.yml')
  try {
    const text = textOf('docker-compose.yml')
    await writeFile(file, text.replace('stop_grace_period', 'stop_grace_time'))
    await expect(load([], {}, file)).rejects.toThrow(/stop_grace_time/)
    await writeFile(
      file,
      text.replace('      topics:\n        condition', '      topcis:\n        condition'),
    )
    await expect(load([], {}, file)).rejects.toThrow(/topcis/)
  } finally {
    await rm(folder, { recursive: true })
  }
})

describe('scaling', () => {
  test('no service has a name or a published port that a second container would take, the worker none at all', () => {
    for (const [name, { container_name, ports = [] }] of services) {
      expect(container_name, name).toBeUndefined()
      if (['worker', 'generator', 'sink'].includes(name)) expect(ports, name).toEqual([])
    }
    expect(service('worker').environment).not.toHaveProperty('MILLRACE_METRICS_PORT')
  })

  test('one container is one worker process, on the port of the image; Prometheus asks the coordinator who is there', () => {
    expect(service('worker')).toMatchObject({ command: ['worker'], environment: { MILLRACE_PROCESSES: '1' } })
    expect(environment.MILLRACE_METRICS_PORT).toMatch(/^\d+$/)
    const config = textOf('deploy/prometheus/prometheus.yml')
    expect(config).toContain('url: http://coordinator:8400/sd/prometheus')
    expect(config).not.toMatch(/^[^#]*static_configs/m)
    // The file that the coordinator makes, where Prometheus sees the volume.
    const seenAt = service('prometheus').volumes?.find(({ source }) => source === 'login')?.target
    const name = basename(service('coordinator').environment?.MILLRACE_HTTP_TOKEN_PATH ?? '')
    expect(config).toContain(`credentials_file: ${seenAt}/${name}`)
  })

  test('there are at least as many partitions as the page scales to', () =>
    expect(Number(service('topics').environment?.MILLRACE_PARTITIONS)).toBeGreaterThanOrEqual(4))
})

describe('starting and stopping', () => {
  test('what is waited for can be seen: it is well, or it has ended well', () => {
    const waits = services.flatMap(([name, { depends_on = {} }]) =>
      Object.entries(depends_on).map(([on, { condition }]) => ({ name, on, condition })),
    )
    expect(waits.length).toBeGreaterThan(8)
    for (const { name, on, condition } of waits) {
      const awaited = service(on)
      if (condition === 'service_completed_successfully') expect(awaited.restart, on).toBe('no')
      else {
        expect(condition, `${name} on ${on}`).toBe('service_healthy')
        expect(awaited.healthcheck?.test?.length, on).toBeGreaterThan(1)
      }
      // A profile that is off starts nothing: who needs more than the plain ones is in the same profile.
      for (const profile of awaited.profiles ?? []) expect(service(name).profiles).toContain(profile)
    }
  })

  test('a service of ours has a healthcheck of its own, the one of the image, or ends by itself', () => {
    const without = ours(all).filter(([, { healthcheck }]) => healthcheck?.disable === true)
    expect(without.map(([name]) => name)).toEqual(['generator', 'saved-objects', 'topics'])
    const [node, script] = execForm('HEALTHCHECK')
    expect(service('coordinator').healthcheck?.test).toEqual(['CMD', node, script, '/readyz'])
  })

  test('Docker waits longer than the drain may take', () => {
    const { grace } = readSettings({ MILLRACE_GRACE: service('worker').environment?.MILLRACE_GRACE ?? '' })
    for (const name of ['worker', 'coordinator', 'sink', 'generator'])
      expect(parseDuration(service(name).stop_grace_period ?? '0s'), name).toBeGreaterThan(grace + 5000)
  })
})

describe('what can be reached', () => {
  test('Kafka, Redis and OpenSearch sit on a network without a way in or out', () => {
    expect(all.networks.inside?.internal).toBe(true)
    for (const name of ['kafka', 'redis', 'opensearch']) {
      expect(Object.keys(service(name).networks), name).toEqual(['inside'])
      expect(service(name).ports ?? [], name).toEqual([])
    }
  })

  test('what is published is for this machine only', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, ...port })))
    expect(published.map(({ name }) => name)).toEqual([
      'coordinator',
      'grafana',
      'jaeger',
      'kafka-ui',
      'opensearch-dashboards',
      'prometheus',
    ])
    expect(new Set(published.map(({ host_ip }) => host_ip))).toEqual(new Set(['127.0.0.1']))
    // A network without a way out publishes nothing.
    for (const { name } of published) expect(Object.keys(service(name).networks), name).toContain('edge')
  })

  test('the login link leads to the published port, whatever it is', async () => {
    const { services } = await load([], { MILLRACE_HTTP_PORT: '9999' })
    const { environment = {}, ports } = services.coordinator ?? service('coordinator')
    expect(environment.MILLRACE_HTTP_URL).toBe('http://127.0.0.1:9999')
    expect(ports).toEqual([
      expect.objectContaining({ published: '9999', target: 8400, host_ip: '127.0.0.1' }),
    ])
    const settings = readSettings(environment)
    expect(settings).toMatchObject({
      httpPort: 8400,
      httpHost: '0.0.0.0',
      httpTokenPath: '/var/lib/millrace/http-token',
    })
  })

  test('who else reads the token runs as its owner, and cannot write it', () => {
    const readers = services.filter(([, { volumes = [] }]) =>
      volumes.some(({ source }) => source === 'login'),
    )
    expect(readers.map(([name]) => name)).toEqual(['coordinator', 'prometheus'])
    expect(new Set(readers.map(([, { user }]) => user?.split(':')[0]))).toEqual(new Set(['65532']))
    expect(service('prometheus').volumes?.find(({ source }) => source === 'login')?.read_only).toBe(true)
  })
})

describe('what runs', () => {
  test('our services are built from this clone; every other image is pinned by tag and digest', () => {
    for (const [name, { image, build }] of services)
      if (build === undefined) expect(image, name).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/)
      else
        expect([image, relative(root, build.context), build.dockerfile]).toEqual([
          'millrace:local',
          '',
          'deploy/Dockerfile',
        ])
    expect(ours(all).map(([name]) => name)).toEqual([
      'coordinator',
      'generator',
      'saved-objects',
      'sink',
      'topics',
      'worker',
    ])
  })

  test('our containers have no root, no capability, and nothing to write to but what is named', () => {
    for (const [name, one] of ours(all)) {
      expect(one, name).toMatchObject({ user: '65532:65532', read_only: true, cap_drop: ['ALL'] })
      expect(one.security_opt, name).toEqual(['no-new-privileges:true'])
      const writable = (one.volumes ?? []).filter(({ read_only = false }) => !read_only)
      expect(
        writable.map(({ source }) => source),
        name,
      ).toEqual(name === 'coordinator' ? ['login'] : [])
    }
  })

  test('a command of theirs is one of ours, and a setting of theirs is one of the table', () => {
    for (const [name, { command, entrypoint, environment: own = {} }] of ours(all)) {
      if (entrypoint === null)
        expect(
          entries.map((entry) => entry.name),
          name,
        ).toContain(command?.[0])
      expect(unknownSettings(Object.keys({ ...environment, ...own })), name).toEqual([])
      expect(() => readSettings({ ...environment, ...own }), name).not.toThrow()
    }
  })

  test('Redis keeps what it holds and evicts nothing', () => {
    expect(service('redis').command?.join(' ')).toContain('--appendonly yes --maxmemory-policy noeviction')
    expect(service('redis').volumes?.[0]).toMatchObject({ source: 'redis', target: '/data' })
  })

  test('a folder that is mounted is there; the pipelines of this clone are those of the containers', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter(({ type }) => type === 'bind').map(({ source }) => relative(root, source)),
    )
    expect(mounted.filter((path) => !existsSync(join(root, path)))).toEqual([])
    expect(new Set(mounted)).toContain('deploy/prometheus')
    for (const name of ['coordinator', 'worker', 'topics', 'generator', 'sink'])
      expect(service(name).volumes, name).toContainEqual(
        expect.objectContaining({
          source: join(root, 'pipelines'),
          target: '/app/pipelines',
          read_only: true,
        }),
      )
  })
})

test('Grafana finds the dashboards and Prometheus where its provisioning says', () => {
  const provisioning = ['dashboards/millrace.yml', 'datasources/prometheus.yml'].map((path) =>
    textOf(`deploy/grafana/provisioning/${path}`),
  )
  const { volumes = [] } = service('grafana')
  const at = volumes.find(({ source }) => source.endsWith('grafana/dashboards'))?.target
  expect(provisioning[0]).toContain(`path: ${at}`)
  expect(provisioning[1]).toContain('url: http://prometheus:9090')
})

describe('the variables', () => {
  const used = new Map(
    [...textOf('docker-compose.yml').matchAll(/\$\{(\w+)(?::-([^}]*))?\}/g)].map(
      ([, name = '', fallback]) => [name, fallback],
    ),
  )
  const example = new Map(
    [...textOf('.env.example').matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  )

  test('each has a default, the one that .env.example shows, and nothing else stands there', () => {
    expect(used.size).toBeGreaterThan(8)
    expect(Object.fromEntries(example)).toEqual(Object.fromEntries(used))
    expect(textOf('docker-compose.yml')).not.toMatch(/\$[A-Za-z]/)
  })

  test('the example as .env changes nothing', async () => {
    expect(await load(PROFILES, Object.fromEntries(example))).toEqual(all)
  })
})

test('the saved objects are sent to the dashboards as a file, and a refusal is told', async () => {
  const seen: { url: string | undefined; header: unknown; body: string }[] = []
  const replies = [
    [200, { success: true, successCount: 7 }],
    [200, { success: false, errors: ['x'] }],
    [503, 'not ready'],
  ] as const
  const server = createServer((request, response) => {
    const [status, body] = replies[seen.length] ?? [500, '']
    void text(request).then((sent) => {
      seen.push({ url: request.url, header: request.headers['osd-xsrf'], body: sent })
      response.writeHead(status).end(JSON.stringify(body))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { entrypoint } = service('saved-objects')
  const script = join(root, relative('/app', entrypoint?.[1] ?? ''))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const send = () => run(process.execPath, [script, url])
  expect(await send()).toMatchObject({ code: 0, stdout: `saved objects: 7 imported into ${url}\n` })
  expect(seen[0]).toMatchObject({ url: '/api/saved_objects/_import?overwrite=true', header: 'millrace' })
  expect(seen[0]?.body).toContain(textOf('deploy/opensearch/dashboard.ndjson'))
  expect(await send()).toMatchObject({ code: 1, stderr: expect.stringContaining('refuses them (200)') })
  expect(await send()).toMatchObject({ code: 1, stderr: expect.stringContaining('refuses them (503)') })
  server.close()
  server.closeAllConnections()
  expect(await send()).toMatchObject({ code: 1, stderr: expect.stringContaining('does not take them') })
})

test('the file is where people type `docker compose up`', () =>
  expect(relative(root, composeFile)).toBe('docker-compose.yml'))
