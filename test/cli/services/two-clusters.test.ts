import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePort, LOOPBACK, portsLike } from '../../../cli/services/ports.ts'
import { run } from '../../../cli/services/run.ts'
import { addressesOf, ensureServices, findServices } from '../../../cli/services/services.ts'
import { isAlive } from '../../../cli/services/state.ts'
import { kafkaClient } from '../../../cluster/kafka/client.ts'
import { readSettings, type Settings } from '../../../cluster/settings.ts'
import { borrowedDataDir, useServices } from '../../support/services.ts'

const bin = new URL('../../../cli/millrace.mjs', import.meta.url).pathname

const clusterIdAt = async (brokers: readonly string[]): Promise<string> => {
  const admin = kafkaClient(readSettings({}, { kafkaBrokers: brokers }), 'input').admin()
  await admin.connect()
  try {
    return (await admin.describeCluster()).clusterId
  } finally {
    await admin.disconnect()
  }
}

test('two clusters of one name: each is one of its own, later commands find both, and stop ends both', async () => {
  await using data = await borrowedDataDir()
  const settings = readSettings({ MILLRACE_DATA_DIR: data.path })
  const said: string[] = []
  const options = { name: 'two', twoClusters: true, native: true, log: (line: string) => said.push(line) }
  const services = await ensureServices(settings, options)
  try {
    const { kafka, home } = addressesOf(services)
    expect(await clusterIdAt(home)).not.toBe(await clusterIdAt(kafka))
    expect(said.at(-1)).toContain(`Kafka at ${kafka} (input) and ${home} (outputs and state)`)
    expect(await findServices(settings, { name: 'two' })).toMatchObject({ found: true, kafka, home })
    const env = { MILLRACE_DATA_DIR: data.path }
    const shown = await run(process.execPath, [bin, 'services', 'status', '--name', 'two'], { env })
    expect(shown.stdout).toContain(`MILLRACE_KAFKA_BROKERS=${kafka}\nMILLRACE_HOME_BROKERS=${home}\n`)
  } finally {
    await services.stop()
  }
  const marks = services.kind === 'native' ? services.processes : []
  expect(marks.map(({ name }) => name)).toEqual(['kafka-1', 'home-1', 'redis'])
  expect(marks.filter(isAlive)).toEqual([])
  expect(await findServices(settings, { name: 'two' })).toBeUndefined()
}, 120_000)

test('a cluster that the settings name is not started, and not mistaken for another', async () => {
  await using data = await borrowedDataDir()
  const { kafka } = await useServices()
  const given = async (over: Partial<Settings>) => {
    const settings = readSettings({ MILLRACE_DATA_DIR: data.path }, over)
    const services = await ensureServices(settings, {
      name: 'given',
      twoClusters: true,
      native: true,
      log: () => {},
    })
    await services.stop()
    return addressesOf(services)
  }
  expect(await given({ kafkaBrokers: kafka })).toMatchObject({ kafka, home: [] })
  expect(await given({ kafkaBrokers: kafka, homeBrokers: ['h:1'] })).toMatchObject({ kafka, home: ['h:1'] })
}, 60_000)

/** A port that the system gives to a server, while that is open and after. */
const portOfServer = async () => {
  const server = createServer().listen(0, LOOPBACK)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, close: () => new Promise((resolve) => server.close(resolve)) }
}

test('a wished port that is taken is replaced, a free one is taken', async () => {
  const [taken, free] = [await portOfServer(), await portOfServer()]
  await free.close()
  const [first, second] = await portsLike([taken.port, free.port])
  await taken.close()
  expect(first).not.toBe(taken.port)
  expect(second).toBe(free.port)
})

test('a port that was given out is given to nobody else, also while nothing listens there', async () => {
  const port = await freePort()
  expect(await portsLike([port])).not.toContain(port)
  const asked = `import { portsLike } from './cli/services/ports.ts'; console.log(...await portsLike([${port}]))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', asked])
  expect(stdout).toMatch(/^\d+\n$/)
  expect(Number(stdout)).not.toBe(port)
})
