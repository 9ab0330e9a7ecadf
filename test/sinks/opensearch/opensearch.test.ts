/** The sink on real Kafka and a real OpenSearch: each committed record is one document, whatever breaks. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test, vi } from 'vitest'
import { until } from '../../support/cluster.ts'
import { type Fault, startHttpProxy } from '../../support/http-proxy.ts'
import { ask, idsIn, useOpenSearch } from '../../support/opensearch.ts'
import { kafkaTool, useServices } from '../../support/services.ts'
import { login, SinkWorld } from './world.ts'

vi.setConfig({ testTimeout: 180_000 })

let kafka: readonly string[]
let url: string

beforeAll(async () => {
  ;[{ kafka }, url] = await Promise.all([useServices(), useOpenSearch()])
}, 600_000)

const logins = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => login(n))
const summaryOf = (lines: readonly string[]): unknown =>
  JSON.parse(lines.find((line) => line.startsWith('{')) ?? 'null')

const TOOL = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'

test('20,000 committed outputs are 20,000 documents, aborted ones are none, and lag tools show 0', async () => {
  await using world = await SinkWorld.open(kafka)
  const ids = await world.produce(logins(20_000), 2500)
  const { code, lines } = await world.drained(url)
  expect(code, lines.join('\n')).toBe(0)
  expect(summaryOf(lines)).toMatchObject({ indexed: 20_000, rejected: 0, lag: 0 })
  expect(await idsIn(url, world.index)).toEqual(ids)
  const args = ['--bootstrap-server', kafka.join(','), '--describe', '--group', world.names.group]
  const rows = (await kafkaTool(TOOL, args)).stdout.split('\n').map((line) => line.trim().split(/\s+/))
  const lags = rows.filter(([, topic]) => topic === world.topic).map(([, , , , , lag]) => lag)
  expect(lags).toEqual(['0', '0', '0', '0'])
})

/** The third of each hundred is no document. */
const withBad = (count: number): readonly string[] =>
  logins(count).map((value, n) => (n % 100 === 3 ? login(n, { timestamp: 'soon' }) : value))

test('killed in the middle and started again: every document once, every dead letter once', async () => {
  await using world = await SinkWorld.open(kafka)
  const ids = await world.produce(withBad(5000), 500)
  await using proxy = await startHttpProxy({ target: url })
  const never = Promise.withResolvers<void>()
  proxy.faultOf = () => (proxy.bulks > 12 ? { fault: 'hold', until: never.promise } : undefined)
  const first = world.sink(proxy.url, ['--bulk-records', '200'], { fetchBytes: 16_384 })
  await until('some is committed and some is under way', 90_000, async () => {
    return proxy.bulks > 12 && (await world.committed()) > 0
  })
  await first.stop('SIGKILL')
  never.resolve()
  const before = (await idsIn(url, world.index)).length
  expect(before).toBeGreaterThan(500)
  expect(before).toBeLessThan(4000)
  const { code, lines } = await world.drained(url)
  expect(code, lines.join('\n')).toBe(0)
  const letters = await world.letters()
  expect(letters).toHaveLength(50)
  const rejected = letters.map(({ origin }) => origin.replaceAll('/', '-'))
  expect([...(await idsIn(url, world.index)), ...rejected].sort()).toEqual(ids)
})

test('busy, failing, lost, cut and unintelligible answers cost time, never a document', async () => {
  await using world = await SinkWorld.open(kafka)
  const ids = await world.produce(logins(2000), 250)
  await using proxy = await startHttpProxy({ target: url })
  const faults: Fault[] = [
    { fault: 'answer', status: 429 },
    { fault: 'cut' },
    { fault: 'cut-after' },
    { fault: 'half-answer' },
    { fault: 'answer', status: 503 },
    { fault: 'answer', status: 200, body: '{"errors":false,"items":[]}' },
    { fault: 'answer', status: 200, body: '<html>' },
    { fault: 'answer', status: 413 },
  ]
  proxy.faultOf = () => faults.shift()
  const { code, lines } = await world.drained(proxy.url, ['--bulk-records', '400'])
  expect(code, lines.join('\n')).toBe(0)
  expect(faults).toEqual([])
  expect(proxy.most).toBeLessThanOrEqual(2)
  expect(await idsIn(url, world.index)).toEqual(ids)
  expect(lines.filter((line) => line.includes('it answers 429'))).toHaveLength(1)
  // Nothing but the summary and log lines: the library's own words are not ours.
  expect(lines.filter((line) => !/^\{|^\d{4}-.* sink-/.test(line))).toEqual([])
})

test('what is no document becomes a dead letter with its bytes, and says nothing of what it holds', async () => {
  await using world = await SinkWorld.open(kafka)
  const secret = 'jane@example.org'
  const pretty = JSON.stringify({ user_id: 'u', locale: 'de' }, null, 2)
  const bad = [
    JSON.stringify({ timestamp: secret }),
    JSON.stringify({ [secret]: { a: 1 }, user_id: { name: secret } }),
    `{"user_id":"${secret}"`,
    `["${secret}"]`,
    null,
  ]
  const ids = await world.produce([...bad, pretty], 6)
  const { code, lines } = await world.drained(url)
  expect(code, lines.join('\n')).toBe(0)
  expect(await idsIn(url, world.index)).toEqual(ids.slice(-1))
  const letters = await world.letters()
  expect(letters.map(({ value }) => value)).toEqual(bad)
  expect(letters.map(({ code }) => code)).toEqual([
    'opensearch:mapper_parsing_exception',
    'opensearch:mapper_parsing_exception',
    'not-json',
    'not-an-object',
    'tombstone',
  ])
  expect(letters.map(({ key }) => key)).toEqual(['0', '1', '2', '3', '4'])
  expect(letters[0]?.reason).toContain('at field timestamp')
  for (const { reason } of letters) expect(reason).not.toContain(secret)
  expect(lines.join('\n')).not.toContain(secret)
})

test('a login over TLS; a wrong password or an unknown CA is said at once', async () => {
  await using world = await SinkWorld.open(kafka)
  const ids = await world.produce(logins(10), 10)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', cert]
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
  const tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  const user = { username: 'mill', password: 'race-1' }
  await using proxy = await startHttpProxy({ target: url, tls, login: user })
  const right = {
    opensearchUsername: user.username,
    opensearchPassword: user.password,
    opensearchCa: cert,
  }
  const wrong = await world.drained(proxy.url, [], { ...right, opensearchPassword: 'race-2' })
  expect(wrong.code).toBe(9)
  expect(wrong.lines).toEqual([
    expect.stringMatching(/^millrace: OpenSearch: it answers 401; check MILLRACE_/),
  ])
  const { opensearchCa: _, ...untrusted } = right
  const distrust = await world.drained(proxy.url, [], untrusted)
  expect({ code: distrust.code, line: distrust.lines.join() }).toMatchObject({
    code: 9,
    line: expect.stringMatching(/self-signed certificate.*MILLRACE_OPENSEARCH_CA/),
  })
  const { code, lines } = await world.drained(proxy.url, [], right)
  expect(code, lines.join('\n')).toBe(0)
  expect(await idsIn(url, world.index)).toEqual(ids)
  rmSync(folder, { recursive: true })
})

test('a newer sink fences an older one; SIGTERM drains; a deleted index comes back with its mapping', async () => {
  await using world = await SinkWorld.open(kafka)
  await world.produce(logins(100), 50)
  const older = world.sink(url)
  await until('the older one has written', 60_000, async () => (await world.committed()) > 0)
  const newer = world.sink(url, ['-o', 'json'])
  await until('the newer one has taken over', 60_000, async () => {
    // Whoever commits next is told.
    await world.produce(logins(4), 1)
    return older.child.exitCode !== null
  })
  expect(await older.exited).toBe(9)
  expect(older.lines.at(-1)).toMatch(/another sink writes .*; run one of them/)
  await ask(`${url}/${world.index}`, 'DELETE')
  const [id] = await world.produce(logins(1), 1)
  await until('the index is there again', 60_000, async () =>
    (await idsIn(url, world.index).catch((): readonly string[] => [])).includes(id ?? ''),
  )
  interface Mappings {
    readonly [index: string]: { readonly mappings: { readonly properties: Record<string, { type: string }> } }
  }
  const found = await ask<Mappings>(`${url}/${world.index}/_mapping`)
  expect(found[world.index]?.mappings.properties.timestamp?.type).toBe('date')
  expect(await newer.stop()).toBe(0)
  expect(summaryOf(newer.lines)).toMatchObject({ rejected: 0, lag: 0 })
})

test('a topic that was made again, and an index with another mapping, are refused by name', async () => {
  await using world = await SinkWorld.open(kafka)
  await world.produce(logins(10), 10)
  expect((await world.drained(url)).code).toBe(0)
  await world.recreate()
  const again = await world.drained(url)
  expect(again.code).toBe(7)
  expect(again.lines.at(-1)).toMatch(/was deleted and made again; .* give another --index, or delete/)

  await using other = await SinkWorld.open(kafka)
  await ask(`${url}/${other.index}`, 'PUT', { mappings: { properties: { timestamp: { type: 'text' } } } })
  const refused = await other.drained(url)
  expect(refused.code).toBe(9)
  expect(refused.lines.at(-1)).toMatch(/cannot map the fields of .*timestamp.* --index or --mapping/)
})
