/** The table of rights as it is printed. What it says is held against a broker in least.test.ts. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { aclsFor } from '../../../cli/acls/own.ts'
import { type Acl, aclsOf, parts } from '../../../cli/acls/table.ts'
import { aclCommands } from '../../../cli/acls/text.ts'
import { namesOf } from '../../../cluster/protocol/names.ts'
import { redisRule } from '../../../cluster/redis/access.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { loadPipeline } from '../../../pipelines/api/load.ts'
import { millrace } from '../millrace.ts'

const names = namesOf('p', { input: 'in', deadLetters: 'dlq' }, 'x.')
const of = { pipeline: 'p', names, prefix: 'x.' }
const brokers = { input: ['in:1'], home: ['home:1', 'home:2'] }

test('no right stands twice in a part, and each name has the prefix', () => {
  for (const part of parts) {
    const rows = aclsOf(of, [part])
    const keys = rows.map(({ resource, name, operation }) => `${resource} ${name} ${operation}`)
    expect(new Set(keys).size, part).toBe(keys.length)
    expect(rows.filter(({ name }) => !name.startsWith('x.'))).toEqual([])
  }
})

test('a pipeline without outputs needs no right on them, and has no sink', () => {
  expect(aclsOf(of, ['sink'])).toEqual([])
  expect(aclsOf(of).some(({ why }) => why === 'outputs')).toBe(false)
})

test('a run under another name needs the rights on its own topics', async () => {
  const { pipeline } = await loadPipeline('user-login')
  const rows = aclsFor(readSettings({}), pipeline, { as: 'again' }, ['worker'])
  const written = rows.filter(({ operation }) => operation === 'Write').map(({ name }) => name)
  expect(written).toContain('processed-user-login-again')
  expect(written).toContain('millrace.again.')
})

const row = (more: Partial<Acl>): Acl => ({
  ...{
    part: 'worker',
    cluster: 'home',
    resource: 'topic',
    pattern: 'literal',
    name: 't',
    operation: 'Read',
    why: '',
  },
  ...more,
})

test('a right that two parts need is granted once, each resource by one call on its own cluster', () => {
  const acls = [
    row({}),
    row({ part: 'audit' }),
    row({ operation: 'Write' }),
    row({ cluster: 'input', name: 'in' }),
  ]
  expect(aclCommands(acls, { principal: 'User:CN=a b', brokers })).toEqual([
    "kafka-acls --bootstrap-server home:1,home:2 --command-config admin.properties --add --allow-principal 'User:CN=a b' --operation Read --operation Write --topic t",
    "kafka-acls --bootstrap-server in:1 --command-config admin.properties --add --allow-principal 'User:CN=a b' --operation Read --topic in",
  ])
})

test('a prefix is granted as one', () =>
  expect(
    aclCommands([row({ resource: 'transactional-id', pattern: 'prefixed', name: 'x.' })], {
      principal: 'User:u',
      brokers,
    }),
  ).toEqual([expect.stringMatching(/--transactional-id x\. --resource-pattern-type prefixed$/)]))

test('the command prints a table, calls or JSON, and connects to nothing', async () => {
  const env = { MILLRACE_KAFKA_BROKERS: '127.0.0.1:1', MILLRACE_TOPIC_PREFIX: 'x.' }
  const acls = (...args: string[]) => millrace(['acls', 'user-login', ...args], { env })
  const [text, commands, json] = await Promise.all([
    acls('--for', 'coordinator'),
    acls('-o', 'commands', '--principal', 'User:me'),
    acls('--for', 'audit,dlq', '-o', 'json'),
  ])
  expect(text.stdout).toMatch(
    /^part +cluster +resource +name +operation +what for\ncoordinator +home +topic +x\.millrace\.cluster /,
  )
  expect(commands.stdout.split('\n')[0]).toMatch(
    /^kafka-acls --bootstrap-server 127\.0\.0\.1:1 .*--allow-principal User:me /,
  )
  expect(new Set((JSON.parse(json.stdout) as Acl[]).map(({ part }) => part))).toEqual(
    new Set(['audit', 'dlq']),
  )
})

test('a part that does not exist is refused with those that do', async () => {
  const { code, stderr } = await millrace(['acls', '--for', 'workers'])
  expect(code).toBe(2)
  expect(stderr).toContain('worker, coordinator')
})

test('the rights in Redis that the page shows are those that are asked for at the start', () => {
  const page = readFileSync(new URL('../../../docs/security.md', import.meta.url), 'utf8')
  expect(page).toContain(`ACL SETUSER millrace on >secret ${redisRule('millrace')}\n`)
})
