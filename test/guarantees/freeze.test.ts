/** Guarantee: a worker frozen past its lease and thawed is a zombie; its commit is refused, nothing is lost or doubled. */
import { expect, test } from 'vitest'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { API, clientIdOf } from '../support/proxy.ts'
import { startKafkaBehindProxies, useServices } from '../support/services.ts'

const RECORDS = 60_000

test('a worker frozen between send and commit, its slots moved, then thawed: fenced; lost 0, double 0', {
  timeout: 240_000,
}, async () => {
  const { redis } = await useServices()
  await using kafka = await startKafkaBehindProxies()
  const [proxy] = kafka.proxies
  if (proxy === undefined) throw new Error('no proxy')
  await using cluster = await TestCluster.open({ kafka: kafka.addresses, redis, settings: { lease: 2000 } })
  const { workers } = await cluster.start(2)
  const producing = cluster.produce(RECORDS, { rate: 4000, seed: 11 })
  const [victim] = await cluster.reports()
  if (victim === undefined) throw new Error('no worker')
  // The broker has its records; it does not know yet, and will want to commit when it thaws.
  const reply = proxy.holdReply(API.produce, (request) => clientIdOf(request) === victim.worker)
  await reply.held
  process.kill(victim.pid, 'SIGSTOP')
  reply.release()
  try {
    await until('its slots belong to the other', 60_000, async () => {
      const others = (await cluster.reports()).filter(({ worker }) => worker !== victim.worker)
      const running = others.flatMap(({ owned }) => owned.filter(({ state }) => state === 'running'))
      return running.length === victim.slots
    })
  } finally {
    process.kill(victim.pid, 'SIGCONT')
  }
  await workers.says(new RegExp(`${victim.worker} slot \\d+: fenced`), 60_000)
  expect(await producing).toBe(RECORDS)
  await cluster.settled(60_000)
  await cluster.drained(60_000)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: RECORDS })
})
