/** Each example once on real Kafka, with the commands of its README, up to a clean audit. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { serveCustomers } from '../../examples/http-lookup/server.ts'
import { millrace } from '../cli/millrace.ts'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { useServices } from '../support/services.ts'

/** Several processes each, on a machine that may be busy. */
vi.setConfig({ testTimeout: 180_000 })

const open = async (example: string): Promise<TestCluster> => {
  const pipeline = fileURLToPath(new URL(`../../examples/${example}/pipeline.ts`, import.meta.url))
  return TestCluster.open({ ...(await useServices()), pipeline, partitions: 2 })
}

/** A command that must do its work. @returns what it printed */
const command = async (
  cluster: TestCluster,
  args: readonly string[],
  more: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> => {
  const { code, stdout, stderr } = await millrace(args, { ...more, env: { ...cluster.env, ...more.env } })
  expect(code, stderr).toBe(0)
  return stdout
}

const send = (cluster: TestCluster, values: readonly object[]) =>
  command(cluster, ['send', cluster.names.input], {
    stdin: values.map((one) => JSON.stringify(one)).join('\n'),
  })

/** Up to the end of the input as it is now. */
const runThrough = async (cluster: TestCluster, env: Readonly<Record<string, string>> = {}) =>
  JSON.parse(await command(cluster, ['run', '--to', 'end', '-o', 'json'], { env }))

interface Tailed {
  readonly key: string | null
  readonly value: string
  readonly headers: readonly { readonly name: string; readonly value: string }[]
}
const recordsOf = async (cluster: TestCluster, topic: string): Promise<readonly Tailed[]> => {
  const text = await command(cluster, ['tail', topic, '--from', 'beginning', '--no-follow', '-o', 'json'])
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}
const valuesOf = async (cluster: TestCluster, topic = '') =>
  (await recordsOf(cluster, topic)).map(({ value }) => JSON.parse(value))

test('http-lookup: orders get their tier, unknown customers are dead letters', async () => {
  await using server = await serveCustomers(0)
  await using cluster = await open('http-lookup')
  const customers = Array.from({ length: 60 }, (_, i) => (i % 10 === 0 ? 'nobody' : `c${i}`))
  await send(
    cluster,
    customers.map((customer, i) => ({ id: `o${i}`, customer, amount: i })),
  )
  expect(await runThrough(cluster, { MILLRACE_OPTION_URL: server.url })).toMatchObject({ done: 54, dead: 6 })
  expect(await cluster.audit()).toMatchObject({ ...clean, outputs: 54, dead: 6 })
  const tiers = (await valuesOf(cluster, cluster.names.output)).map(({ id, tier }) => `${id} ${tier}`)
  expect(tiers.toSorted()).toEqual(
    customers
      .flatMap((customer, i) =>
        customer === 'nobody' ? [] : [`o${i} ${customer.length > 2 ? 'gold' : 'plain'}`],
      )
      .toSorted(),
  )
  const letters = await recordsOf(cluster, cluster.names.deadLetters)
  const codes = letters.map(
    ({ headers }) => headers.find(({ name }) => name === 'millrace-error-code')?.value,
  )
  expect(codes).toEqual(Array(6).fill('unknown-customer'))
})

test('geo-ip: visits get their country from a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-geo-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const database = join(folder, 'ranges.csv')
  await writeFile(database, '10.0.0.0,10.0.0.255,AA\n2001:db8::,2001:db8::ffff,BB\n')

  await using cluster = await open('geo-ip')
  const ips = ['10.0.0.7', '2001:db8::7', '10.0.1.0', 'nowhere']
  await send(
    cluster,
    Array.from({ length: 80 }, (_, i) => ({ page: `/${i}`, ip: ips[i % 4] })),
  )
  const summary = await runThrough(cluster, { MILLRACE_OPTION_DATABASE: database })
  expect(summary).toMatchObject({ done: 60, dead: 20 })
  expect(await cluster.audit()).toMatchObject({ ...clean, outputs: 60, dead: 20 })
  const found = await valuesOf(cluster, cluster.names.output)
  const countries = Object.groupBy(found, ({ country }) => country)
  expect(Object.entries(countries).map(([country, all]) => [country, all?.length])).toEqual(
    expect.arrayContaining([
      ['AA', 20],
      ['BB', 20],
      ['unknown', 20],
    ]),
  )
  expect(found.some((visit) => 'ip' in visit)).toBe(false)
})

test('top-pages: the list of all slots is published by the coordinator', async () => {
  await using cluster = await open('top-pages')
  const pages = ['/a', '/a', '/b', '/a', '/c', '/b']
  await send(
    cluster,
    Array.from({ length: 120 }, (_, i) => ({ page: pages[i % 6], reader: `r${i % 7}`, bot: i % 20 === 19 })),
  )
  await cluster.start(1)
  await cluster.drained(60_000)
  expect(await cluster.audit()).toMatchObject({ ...clean, output: null, outputs: 114, dropped: 6 })

  const topic = cluster.names.clusterInsights
  // The coordinator makes it when there is something to say.
  await until('the topic of the list is there', 60_000, () =>
    withAdmins(cluster.settings, async ({ home }) => (await home.listTopics()).includes(topic)),
  )
  const tail = cluster.run('tail', topic, '--from', 'beginning', '-o', 'json')
  await tail.says(/of\\":114/, 60_000, 3)
  const said = tail.lines.map((line): Tailed => JSON.parse(line))
  const places = new Map(said.map(({ key, value }) => [key, JSON.parse(value)]))
  const views = ['/a', '/b', '/c'].map(
    (page) =>
      Array.from({ length: 120 }, (_, i) => i).filter((i) => i % 20 !== 19 && pages[i % 6] === page).length,
  )
  expect(Object.fromEntries(places)).toEqual({
    'place-1': { place: 1, page: '/a', views: views[0], of: 114 },
    'place-2': { place: 2, page: '/b', views: views[1], of: 114 },
    'place-3': { place: 3, page: '/c', views: views[2], of: 114 },
  })
})
