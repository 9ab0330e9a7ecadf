/** What docs/deploy.md (and of containers the README) tells people to type and to expect, held against the compose file, the benchmarks and the image. */
import { beforeAll, expect, test } from 'vitest'
import { parse } from '../house/call.ts'
import { textOf } from '../house/tree.ts'
import { load, type Project } from './compose-file.ts'
import { stages } from './dockerfile.ts'

const page = textOf('docs/deploy.md')
let project: Project
beforeAll(async () => {
  project = await load(['*'])
})

const lines = [...`${page}\n${textOf('README.md')}`.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(
  ([, block = '']) => block.trim().split('\n'),
)
const inline = [...page.matchAll(/`(docker(?:-| )compose [^`]+|docker build[^`]+)`/g)].map(
  ([, line = '']) => line,
)

/** Flags of `docker compose` and of its commands that the page uses, and whether a value follows. */
const flags = new Map([
  ['--detach', false],
  ['--rm', false],
  ['--volumes', false],
  ['--scale', true],
  ['--profile', true],
])

/** @throws where Compose would refuse it, for this file */
const check = async (line: string): Promise<void> => {
  const words = line.replace(/^docker[- ]compose /, '').split(' ')
  const plain: string[] = []
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (!word.startsWith('-')) {
      plain.push(word)
      if (plain[0] !== 'run' || plain.length < 2) continue
      plain.push(...words.splice(0))
      break
    }
    if (!flags.has(word)) throw new Error(`${line}: ${word}`)
    const value = flags.get(word) ? (words.shift() ?? '') : ''
    if (word === '--scale') expect(Object.keys(project.services), line).toContain(value.split('=')[0])
    if (word === '--profile') expect(profiles(), line).toContain(value)
  }
  const [command = '', ...rest] = plain
  expect(['up', 'down', 'logs', 'run', 'stop', 'restart'], line).toContain(command)
  const [service, ...call] = rest
  for (const name of command === 'run' ? [service] : rest)
    expect(Object.keys(project.services), line).toContain(name)
  if (command === 'run' && call.length > 0) await parse(call)
}

const profiles = () =>
  [...new Set(Object.values(project.services).flatMap((one) => one.profiles ?? []))].sort()

test('what it tells to type is what there is', async () => {
  const calls = [...lines, ...inline].filter((line) => /^docker[- ]compose/.test(line))
  expect(calls.length).toBeGreaterThan(10)
  for (const line of calls) await check(line)
  for (const line of [
    'docker compose up wroker',
    'docker compose up --scal worker=4',
    'docker compose run --rm coordinator audti',
  ])
    await expect(check(line), line).rejects.toThrow()
})

test('every other command of its blocks is one of docker, on an image of ours', () => {
  const others = [...lines, ...inline].filter((line) => !/^docker[- ]compose/.test(line))
  const [base = ''] = stages[0]?.[0]?.text.split('@') ?? []
  expect(others.toSorted()).toEqual(
    [
      'docker build --file deploy/Dockerfile --tag millrace .',
      `docker buildx imagetools inspect ${base}`,
    ].toSorted(),
  )
})

test('its table of profiles is that of the file, with the ports', () => {
  const rows = [...page.matchAll(/^\| `([a-z]+)` \| .+ \| (`http:.+`) \|$/gm)].map(
    ([, name = '', where = '']) => [name, [...where.matchAll(/:(\d+)/g)].map(([, port]) => port).sort()],
  )
  const wanted = profiles().map((name) => [
    name,
    Object.values(project.services)
      .filter((one) => one.profiles?.includes(name))
      .flatMap(({ ports = [] }) => ports.map(({ published }) => published))
      .sort(),
  ])
  expect(rows.toSorted()).toEqual(wanted.toSorted())
})

test('its figures are those of the benchmarks', () => {
  const benchmarks = textOf('docs/benchmarks.md')
  for (const figure of ['4.58', '3.17', '234,654', '304 MB', 'p50 6 ms', 'p99 48 ms', 'about 10 MB']) {
    expect(page).toContain(figure)
    expect(benchmarks).toContain(figure)
  }
})

test('every grace that it names is the one that counts', () => {
  expect(page).toContain('containers have 15 s, the drain 8')
  expect(project.services.worker).toMatchObject({
    stop_grace_period: '15s',
    environment: { MILLRACE_GRACE: '8s' },
  })
})
