/** The image, as far as it can be known without an engine: what the Dockerfile says, and the program run from what it copies. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { entries } from '../../cli/commands.ts'
import { run } from '../../cli/services/run.ts'
import { files, isProduction, root, textOf } from '../house/tree.ts'
import {
  copies,
  copyImage,
  dockerfile,
  environment,
  execForm,
  lastStage,
  stages,
  textsOf,
} from './dockerfile.ts'
import { unknownSettings } from './names.ts'

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string
        readonly dev?: boolean
        readonly hasInstallScript?: boolean
      }
    >
  >
}
const lock = JSON.parse(textOf('package-lock.json')) as Lock
const manifest = JSON.parse(textOf('package.json')) as {
  readonly version: string
  readonly license: string
  readonly allowScripts: Readonly<Record<string, boolean>>
}

describe('the Dockerfile', () => {
  test('every stage begins with an image that is pinned by tag and digest', () => {
    expect(stages.length).toBeGreaterThan(1)
    for (const [from] of stages)
      expect(from?.text).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}( AS [a-z]+)?$/)
  })

  test('its Node is the one that the tests run on', () => {
    const version = lock.packages['node_modules/node']?.version ?? 'none'
    expect(dockerfile[0]?.text).toMatch(new RegExp(`^node:${version}-`))
    expect(`v${version}`).toBe(process.version)
  })

  test('the last stage runs nothing, has no shell and no tools to build with', () => {
    expect(textsOf('RUN')).toEqual([])
    expect(textsOf('SHELL')).toEqual([])
    expect(lastStage[0]?.text).toMatch(/^gcr\.io\/distroless\/cc-/)
    for (const name of ['ENTRYPOINT', 'CMD', 'HEALTHCHECK']) expect(execForm(name).length).toBeGreaterThan(0)
    // Of the stage that has npm come Node itself, packages and an empty folder.
    expect(textsOf('COPY').filter((text) => text.startsWith('--from='))).toEqual([
      '--from=build /usr/local/bin/node /usr/local/bin/node',
      '--from=build --chown=65532:65532 /var/lib/millrace /var/lib/millrace',
      '--from=build /app/node_modules node_modules',
    ])
  })

  test('it runs as nobody of this machine, and SIGTERM reaches Node itself', () => {
    const [user = ''] = textsOf('USER')
    expect(Number(user.split(':')[0])).toBeGreaterThanOrEqual(10_000)
    expect(Number(user.split(':')[1])).toBeGreaterThanOrEqual(10_000)
    expect(textsOf('STOPSIGNAL')).toEqual(['SIGTERM'])
    const [program, ...args] = execForm('ENTRYPOINT')
    expect(program).toBe('/usr/local/bin/node')
    expect(args.at(-1)).toBe('/app/cli/millrace.mjs')
  })

  test('its labels are those of OCI, with the version and the licence of the package', () => {
    const labels = textsOf('LABEL').join(' ')
    for (const name of ['title', 'description', 'licenses', 'version', 'revision', 'base.name'])
      expect(labels).toMatch(new RegExp(`org\\.opencontainers\\.image\\.${name.replace('.', '\\.')}="[^"]+"`))
    expect(labels).toContain(`licenses="${manifest.license}"`)
    expect(textsOf('ARG')).toContain(`VERSION=${manifest.version}`)
  })

  test('one image, three commands', () => {
    expect(execForm('CMD')).toEqual(['worker'])
    expect(entries.map(({ name }) => name)).toEqual(expect.arrayContaining(['coordinator', 'worker', 'sink']))
  })

  test('every setting it sets is one', () => expect(unknownSettings(Object.keys(environment))).toEqual([]))
})

describe('what it copies', () => {
  const covers = (path: string) => copies.some(({ from }) => path === from || path.startsWith(`${from}/`))
  const ignored = textOf('.dockerignore').split('\n')

  test('is all of the production code and nothing else of the repository', () => {
    expect(files.filter((path) => isProduction(path) && !covers(path))).toEqual([])
    const others = files.filter((path) => covers(path) && !isProduction(path))
    const beside =
      /^(LICENSE|package\.json)$|^deploy\/(image|local|opensearch)\/|^(cli|cluster)\/.+\.(txt|lua|ndjson)$/
    expect(others.filter((path) => !beside.test(path))).toEqual([])
    expect(files.filter((path) => /^(test|bench|docs|\.ci|scripts)\//.test(path) && covers(path))).toEqual([])
  })

  test('stands where the code looks for it', () => {
    const own = copies.filter(({ from }) => from !== 'deploy/image/dist')
    for (const { from, to } of own) expect(to).toBe(from)
    expect(copies).toContainEqual({ from: 'deploy/image/dist', to: 'dist' })
  })

  test('is let through by .dockerignore, which keeps everything else out', () => {
    expect(ignored).toContain('*')
    const open = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
    const needed = [
      ...copies.map(({ from }) => from),
      ...(stages[0]
        ?.filter(({ name }) => name === 'COPY')
        .flatMap(({ text }) => text.split(' ').slice(0, -1)) ?? []),
    ]
    expect(needed.filter((path) => !open.some((one) => path === one || path.startsWith(`${one}/`)))).toEqual(
      [],
    )
    expect(open.filter((one) => !needed.some((path) => path === one || path.startsWith(`${one}/`)))).toEqual(
      [],
    )
    expect(ignored).toEqual(expect.arrayContaining(['**/node_modules', '**/.env', '**/.millrace']))
  })
})

test('scripts that packages run when they are installed are on a list, each allowed or denied; none of production is needed', () => {
  const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript)
  const names = scripted.map(([path]) => path.replace(/^.*node_modules\//, ''))
  expect(names.toSorted()).toEqual(Object.keys(manifest.allowScripts).toSorted())
  for (const [path, { dev = false }] of scripted)
    expect(manifest.allowScripts[path.replace(/^.*node_modules\//, '')], path).toBe(dev)
  expect(textsOf('RUN', stages[0]).join()).toMatch(/npm ci --omit=dev --ignore-scripts/)
})

describe('the program, from exactly those files and packages', () => {
  let folder: string
  const [, ...args] = execForm('ENTRYPOINT')
  const words = () => args.map((word) => word.replace(/^\/app\//, `${folder}/`))
  const env = environment
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(MILLRACE|NODE|npm)_/.test(name)),
  )
  const inImage = (command: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    spawn(process.execPath, [...words(), ...command], {
      cwd: folder,
      env: { ...clean, ...env, ...more },
      stdio: ['pipe', 'pipe', 'pipe'],
    })

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-image-'))
    const [first = ''] = textsOf('COPY', stages[0])
    for (const name of first.split(' ').slice(0, -1)) cpSync(join(root, name), join(folder, name))
    // All of it but the folder outside.
    const install = textsOf('RUN', stages[0])
      .join()
      .replace(/ && mkdir \/.*$/, '')
    const ran = await run('sh', ['-c', install], {
      cwd: folder,
      env: { NODE_ENV: '', npm_config_prefer_offline: 'true' },
    })
    expect(ran.code, ran.stderr).toBe(0)
    copyImage(folder)
  }, 300_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('has production packages only', () => {
    const there = globSync(['node_modules/*', 'node_modules/@*/*'], { cwd: folder }).filter(
      (path) => statSync(join(folder, path)).isDirectory() && !/\/(@[^/]+|\.\w+)$/.test(path),
    )
    const production = Object.entries(lock.packages)
      .filter(([, { dev = false }]) => !dev)
      .map(([path]) => path)
    expect(there.length).toBeGreaterThan(20)
    expect(there.filter((path) => !production.includes(path))).toEqual(['node_modules/millrace'])
    expect(there.filter((path) => /typescript|vitest|biome|node_modules\/node$/.test(path))).toEqual([])
  })

  test.each(['coordinator', 'worker', 'sink', 'topics', 'audit'])('tells the use of %s', (name) => {
    const ran = spawnSync(process.execPath, [...words(), name, '--help'], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...clean, ...env },
    })
    expect(ran.stdout).toContain(`Usage: millrace ${name}`)
    expect(ran.status).toBe(0)
  })

  test('runs a pipeline in a thread of its own, natively compiled parts included', async () => {
    const child = inImage(['dry-run', 'bench-login'])
    child.stdin.end('{"timestamp":"x"}\n')
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    expect(JSON.parse(line.toString())).toMatchObject({ outcome: 'dead' })
    for (const name of ['snappy', 'lz4-napi', '@node-rs/crc32']) {
      const ran = spawnSync(process.execPath, ['-e', `require('${name}')`], { cwd: folder, encoding: 'utf8' })
      expect(ran.status, ran.stderr).toBe(0)
    }
  })

  test.each([
    ['in a folder of its own', {}],
    ['with a package.json of its own', { 'package.json': '{"type":"module"}' }],
  ])("loads a user's module that imports millrace, %s", async (_, beside) => {
    const user = join(folder, 'pipelines/user')
    mkdirSync(user)
    onTestFinished(() => rmSync(user, { recursive: true }))
    const module = `import { definePipeline, Type } from 'millrace'
import { run } from 'millrace/testing'
export const pipeline = definePipeline({
  name: 'of-a-user',
  topics: { input: 'orders', output: 'paid', deadLetters: 'unpaid' },
  schema: Type.Object({ id: Type.String() }),
  process: ({ id }) => ({ id, runs: typeof run }),
})
`
    for (const [name, content] of Object.entries({ 'pipeline.ts': module, ...beside }))
      writeFileSync(join(user, name), content)
    const path = join(user, 'pipeline.ts')
    const lint = inImage(['lint', path])
    const said = text(lint.stderr)
    const [code] = await once(lint, 'exit')
    expect([code, await said]).toEqual([0, expect.not.stringContaining('rror')])
    const dry = inImage(['dry-run', path])
    dry.stdin.end('{"id":"7"}\n')
    const [line] = (await once(dry.stdout, 'data')) as [Buffer]
    expect(JSON.parse(line.toString())).toMatchObject({
      outcome: 'done',
      value: { id: '7', runs: 'function' },
    })
  })

  test('starts a worker, says what it waits for, and ends at SIGTERM', async () => {
    const child = inImage(['worker'], {
      MILLRACE_KAFKA_BROKERS: '127.0.0.1:1',
      MILLRACE_REDIS_URL: 'redis://127.0.0.1:1',
    })
    const [line] = (await once(child.stderr, 'data')) as [Buffer]
    expect(line.toString()).toMatch(/^waiting for Kafka/)
    child.kill('SIGTERM')
    const [code, signal] = await once(child, 'exit')
    expect([code, signal]).toEqual([null, 'SIGTERM'])
  })

  test('its health is that of the port of its metrics', async () => {
    const asked: (string | undefined)[] = []
    let code = 200
    const server = createServer((request, response) => {
      asked.push(request.url)
      response.writeHead(code).end('{}')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const port = String((server.address() as AddressInfo).port)
    const [node, script = '', ...rest] = execForm('HEALTHCHECK')
    expect(node).toBe('/usr/local/bin/node')
    const check = (path?: string) =>
      run(process.execPath, [script.replace(/^\/app/, folder), ...(path === undefined ? rest : [path])], {
        env: { MILLRACE_METRICS_PORT: port },
      })
    expect((await check()).code).toBe(0)
    code = 503
    expect(await check('/readyz')).toMatchObject({ code: 1, stdout: '503 {}\n' })
    expect(asked).toEqual(['/healthz', '/readyz'])
    server.close()
    server.closeAllConnections()
    expect(await check()).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/does not answer: .*ECONNREFUSED/),
    })
  })
})

const ci = process.env.CI === 'true'
const namespaces = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0

test.skipIf(!ci && !namespaces)(
  'as the first process of a container it ends at SIGTERM, before it listens by itself as well',
  async () => {
    const nowhere = {
      MILLRACE_KAFKA_BROKERS: '127.0.0.1:1',
      MILLRACE_REDIS_URL: 'redis://127.0.0.1:1',
      MILLRACE_START_TIMEOUT: '5m',
    }
    const command = ['--pid', '--fork', process.execPath, join(root, 'cli/millrace.mjs'), 'worker']
    const outside = spawn('unshare', command, {
      env: { ...process.env, ...nowhere },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [line] = (await once(outside.stderr, 'data')) as [Buffer]
    expect(line.toString()).toMatch(/^waiting for Kafka/)
    const inside = Number(readFileSync(`/proc/${outside.pid}/task/${outside.pid}/children`, 'utf8').trim())
    process.kill(inside, 'SIGTERM')
    const [code] = await once(outside, 'exit')
    expect(code).toBe(128 + 15)
  },
)
