/** No secret stands in a manifest: what is one is refused among the values, and reaches processes as files only. */
import { expect, test } from 'vitest'
import { type Setting, settingsTable } from '../../cluster/settings/table.ts'
import { examples, type Manifest, processesIn, rendered, template, valuesOf } from './chart.ts'

const CANARY = 'canary-9f2c'

const secrets = Object.entries(settingsTable).filter(
  ([, setting]) => (setting as Setting<unknown>).hide !== undefined,
)

const mayHoldLogin = ['redisUrl', 'opensearchUrl']
/** What somebody might write who knows no better. A URL without a login may stand there; one with a login, in any form, may not. */
const attempts = secrets.flatMap(([name, { env }]) => [
  `settings.${env}=${CANARY}`,
  ...(mayHoldLogin.includes(name)
    ? [
        `settings.${name}=redis://:${CANARY}@host:1`,
        `settings.${name}=redis://:a/${CANARY}@host:1`,
        `settings.${name}=https://user:${CANARY}@host:1`,
        `settings.${name}=https://first:1\\,https://user:${CANARY}@host:1`,
        `settings.${name}=redis://host:1?password=${CANARY}`,
      ]
    : [`settings.${name}=${CANARY}`]),
])

test('a secret among the values is refused, and nobody repeats it', { timeout: 300_000 }, async () => {
  expect(attempts.length).toBeGreaterThan(15)
  for (const assignment of [...attempts, `settings.opensearchUrl[0]=https://user:${CANARY}@host:1`]) {
    const ran = await template(['-f', valuesOf('minimal'), '--set', assignment])
    expect(ran.code, assignment).not.toBe(0)
    expect(ran.stdout + ran.stderr, assignment).not.toContain(CANARY)
  }
})

const dummy = (names: readonly string[]): readonly string[] =>
  names.flatMap((name) => ['--set', `secretKeys.${name}=key-of-${name}`])

test('each secret reaches those who need it as a file, and nobody else', async () => {
  const names = secrets.map(([name]) => name)
  const some = names.filter((name) => name !== 'redisUrl' && name !== 'opensearchUrl')
  const manifests = await rendered(['-f', valuesOf('full'), ...dummy(some)])
  const owners = new Map<string, string[]>()
  for (const [, container] of processesIn(manifests))
    for (const { name, value } of container.env ?? []) {
      if (!name.endsWith('_FILE')) continue
      expect(value, name).toMatch(/^\/etc\/millrace\/secrets\/[\w.-]+$/)
      owners.set(name, [...(owners.get(name) ?? []), container.name].toSorted())
    }
  const of = (name: string) => owners.get(`MILLRACE_${name}_FILE`)
  expect(of('KAFKA_SASL_PASSWORD')).toEqual(['coordinator', 'sink', 'worker'])
  expect(of('HTTP_TOKEN')).toEqual(['coordinator'])
  expect(of('HTTP_PASSWORD')).toEqual(['coordinator'])
  expect(of('ALERT_HOOK')).toEqual(['coordinator'])
  expect(of('OPENSEARCH_PASSWORD')).toEqual(['sink'])
  expect(of('OPTION_API_KEY')).toEqual(['worker'])
  for (const name of some) {
    const { env } = settingsTable[name as keyof typeof settingsTable]
    expect(owners.has(`${env}_FILE`), name).toBe(true)
  }
})

/** Every text in a manifest. */
const textsIn = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

const secretVariables: readonly string[] = secrets.map(([, { env }]) => env)
/** A URL without a login may stand there. */
const isOpen = (name: string) => ['MILLRACE_REDIS_URL', 'MILLRACE_OPENSEARCH_URL'].includes(name)

test.each(examples)('with the %s values no manifest is or holds a secret', async (name) => {
  const manifests = await rendered(['-f', valuesOf(name)])
  expect(manifests.map(({ kind }) => kind)).not.toContain('Secret')
  const holdsSecret = ([name]: readonly [string, unknown]) => secretVariables.includes(name) && !isOpen(name)
  const { data = {} } = manifests.find(({ kind }) => kind === 'ConfigMap') as Manifest
  expect(Object.entries(data).filter(holdsSecret)).toEqual([])
  for (const [, { args = [], env = [] }] of processesIn(manifests)) {
    expect(env.map(({ name, value }) => [name, value] as const).filter(holdsSecret)).toEqual([])
    expect(args.join(' ')).not.toMatch(/password|token|secret/i)
  }
  for (const text of manifests.flatMap(textsIn)) expect(text).not.toMatch(/\/\/[^/\s]*:[^/\s]*@/)
})
