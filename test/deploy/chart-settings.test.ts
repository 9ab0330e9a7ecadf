/** What the chart renders is what the programs read: its environment goes through the CLI's own reader, its arguments through its parser. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { entries } from '../../cli/commands.ts'
import { run } from '../../cli/services/run.ts'
import { namesOf } from '../../cluster/protocol/names.ts'
import { readSettings, type Settings, settingsTable } from '../../cluster/settings.ts'
import { resolveOptions } from '../../pipelines/api/options.ts'
import { pipeline as userLogin } from '../../pipelines/user-login/pipeline.ts'
import {
  type Container,
  environmentOf,
  examples,
  type Manifest,
  processesIn,
  rendered,
  valuesOf,
} from './chart.ts'

const KEY = 'redis://:0123456789abcdef@redis:6379'
const secretOf = (variable: string) => (variable.includes('ALERT_HOOK') ? 'https://hook.example.org' : KEY)

type Look = (
  settings: Settings,
  manifest: Manifest,
  container: Container,
  env: Record<string, string>,
) => void

const eachProcess = async (args: readonly string[], look: Look): Promise<number> => {
  const manifests = await rendered(args)
  const folder = await mkdtemp(join(tmpdir(), 'millrace-secrets-'))
  try {
    const processes = processesIn(manifests)
    for (const [manifest, container] of processes) {
      const env = await environmentOf(manifests, container, { folder, podIP: '10.0.0.7', secretOf })
      look(readSettings(env), manifest, container, env)
    }
    return processes.length
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('the full values come out as the settings they name', async () => {
  const seen = await eachProcess(['-f', valuesOf('full')], (settings, _, { name }) => {
    expect(settings).toMatchObject({
      kafkaBrokers: ['kafka-0.kafka:9093', 'kafka-1.kafka:9093'],
      kafkaTls: true,
      kafkaTlsCa: '/etc/millrace/files/kafkaTlsCa',
      kafkaSaslMechanism: 'scram-sha-512',
      kafkaSaslPassword: KEY,
      topicPrefix: 'shop.',
      pipeline: '/app/pipelines/user/pipeline.ts',
      partitions: 12,
      processes: 2,
      grace: 20_000,
      mailboxBytes: 16_777_216,
      opensearchUrl: ['https://search-0:9200', 'https://search-1:9200'],
    })
    expect(settings.httpToken).toBe(name === 'coordinator' ? KEY : '')
    expect(settings.redisUrl).toBe(name === 'sink' ? '' : KEY)
  })
  expect(seen).toBe(3)
})

test('the minimal values run the shipped pipeline with its key', async () => {
  const seen = await eachProcess(['-f', valuesOf('minimal')], (settings, _, { name }, env) => {
    expect(settings).toMatchObject({ pipeline: 'user-login', threads: 2, redisUrl: 'redis://redis:6379' })
    if (name === 'worker') expect(resolveOptions(userLogin, env)).toEqual({ token_key: KEY })
    // No login: nobody but the pod itself.
    if (name === 'coordinator') expect(settings).toMatchObject({ httpHost: '127.0.0.1', httpPort: 8400 })
  })
  expect(seen).toBe(2)
})

test.each(examples)('with the %s values every process may drain before it is killed', async (name) => {
  await eachProcess(['-f', valuesOf(name)], ({ grace }, { spec }) => {
    // A supervisor waits 1.5 s longer than its workers.
    expect(spec?.template?.spec.terminationGracePeriodSeconds).toBeGreaterThan(grace / 1000 + 1.5)
  })
})

test('every plain setting can be given, and comes out under its own name', async () => {
  const { plainSettings } = await import('../../scripts/pages/chart/settings.ts')
  const values: Readonly<Record<string, string>> = { redisUrl: 'redis://other:1', kafkaTls: 'true' }
  const shown = Object.keys(plainSettings).flatMap((name) => {
    const { kind, default: fallback } = settingsTable[name as keyof typeof settingsTable]
    const text = values[name] ?? (kind as { show(value: unknown): string }).show(fallback)
    return text === '' || name === 'kafkaSaslMechanism' ? [] : [[name, text] as const]
  })
  expect(shown.length).toBeGreaterThan(30)
  const sets = shown.flatMap(([name, text]) => ['--set', `settings.${name}=${text.replaceAll(',', '\\,')}`])
  await eachProcess(
    ['-f', valuesOf('minimal'), ...sets, '--set', 'settings.kafkaBrokers={a:1,b:2}'],
    (settings) => {
      for (const [name, text] of shown) {
        const { kind } = settingsTable[name as keyof typeof settingsTable]
        const own = (kind as { show(value: unknown): string }).show(settings[name as keyof Settings])
        expect(own, name).toBe(name === 'kafkaBrokers' ? 'a:1,b:2' : text)
      }
    },
  )
})

test('the arguments are commands of ours', async () => {
  const manifests = await rendered(['-f', valuesOf('full')])
  for (const [, { args = [] }] of processesIn(manifests)) {
    const [name, ...rest] = args
    const entry = entries.find((one) => one.name === name)
    let command = (await entry?.load()) as Command
    const sub = command.commands.find((one) => one.name() === rest[0])
    if (sub !== undefined) command = sub
    const { operands, unknown } = command.parseOptions(sub === undefined ? rest : rest.slice(1))
    expect([operands, unknown], args.join(' ')).toEqual([[], []])
  }
})

test('KEDA looks at the group and the topic that the workers use', async () => {
  const manifests = await rendered(['-f', valuesOf('full')])
  const { spec } = manifests.find(({ kind }) => kind === 'ScaledObject') as Manifest
  const names = namesOf('orders', { input: 'orders', deadLetters: 'orders-dlq' }, 'shop.')
  expect(spec?.triggers).toMatchObject([{ metadata: { consumerGroup: names.group, topic: names.input } }])
})

test('modules of a ConfigMap, which are links there, find what they import beside the shipped ones', async () => {
  const manifests = await rendered(['-f', valuesOf('external')])
  const worker = manifests.find(({ kind }) => kind === 'StatefulSet')
  const [init] = worker?.spec?.template?.spec.initContainers ?? []
  const [program, flag = '', script = '', ...paths] = init?.command ?? []
  expect([program, flag, ...paths]).toEqual(['node', '-e', '/pipelines', '/app/pipelines/user'])
  const root = await mkdtemp(join(tmpdir(), 'millrace-modules-'))
  // Where the image has it: beside the shipped pipelines.
  const [folder, user] = [join(root, 'mounted'), join(root, 'app/pipelines/user')]
  try {
    await mkdir(user, { recursive: true })
    await symlink(join(import.meta.dirname, '../../pipelines/api'), join(root, 'app/pipelines/api'))
    await mkdir(folder)
    await mkdir(join(folder, '..2026'))
    const text = "import { definePipeline } from '../api/define.ts'\nexport const pipeline = definePipeline\n"
    await writeFile(join(folder, '..2026', 'pipeline.ts'), text)
    await symlink('..2026', join(folder, '..data'))
    await symlink('..data/pipeline.ts', join(folder, 'pipeline.ts'))
    expect(await run(process.execPath, [flag, script, folder, user])).toMatchObject({ code: 0, stderr: '' })
    expect(await readdir(user)).toEqual(['pipeline.ts'])
    const load = `import(${JSON.stringify(pathToFileURL(join(user, 'pipeline.ts')).href)})`
    expect(await run(process.execPath, ['-e', load])).toMatchObject({ code: 0, stderr: '' })
  } finally {
    await rm(root, { recursive: true })
  }
})

test('the test pod passes where the coordinator answers as it should, and only there', async () => {
  const manifests = await rendered(['-f', valuesOf('external')])
  const pod = manifests.find(({ kind }) => kind === 'Pod') as Manifest & {
    readonly spec: { readonly containers: readonly Container[] }
  }
  const [program, flag = '', script = '', expected = ''] = pod.spec.containers[0]?.command ?? []
  expect([program, flag]).toEqual(['node', '-e'])
  const server = createServer(({ url }, response) => {
    response.writeHead({ '/readyz': 200, '/api/status': 401 }[url ?? ''] ?? 404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const here = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = (text: string) => run(process.execPath, [flag, script, text.replace(/http:\/\/[^/]+/g, here)])
  try {
    expect(await ask(expected)).toMatchObject({ code: 0 })
    expect((await ask(expected.replace('401', '200'))).code).toBe(1)
    expect((await ask(expected.replace('/readyz', '/nowhere'))).stderr).toContain('expected 200')
  } finally {
    server.close()
  }
})
