/**
 * Guarantee: workers come and go as `--scale` has them, also in a storm, and partitions are added, while records flow: every record has
 * one fate, and work goes on between any two changes. `STORM_ROUNDS` and `STORM_RECORDS` make the storm longer.
 */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { clean, type Running, TestCluster, until } from '../support/cluster.ts'
import { ownedBy } from '../support/fleet.ts'
import { seeded } from '../support/seed.ts'
import { useServices } from '../support/services.ts'
import { CHANGES, Storm, shuffled } from '../support/storm.ts'
import { Timeline } from '../support/timeline.ts'

const DEADLINE_MS = 120_000
/** Five times as long as it is unless set. */
const GRACE_MS = 40_000
const numbered = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index)

test('1 worker process, then 8, then 2 on 16 partitions under load: every position moves between any two changes', {
  timeout: 400_000,
}, async () => {
  const { seed } = seeded('scale')
  const { kafka, redis } = await useServices()
  const partitions = numbered(16)
  await using cluster = await TestCluster.open({
    ...{ kafka, redis, settings: { grace: GRACE_MS } },
    partitions: partitions.length,
  })
  cluster.run('coordinator')
  cluster.run('worker')
  await ownedBy(cluster, 1, DEADLINE_MS)
  await using timeline = await Timeline.open(cluster)
  const enough = new AbortController()
  const producing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 2000, seed }, enough.signal)
  const phase = async (workers: number, change: () => Promise<void>): Promise<void> => {
    const from = Date.now()
    await change()
    await ownedBy(cluster, workers, DEADLINE_MS)
    const settled = Date.now()
    await timeline.goOn(DEADLINE_MS, partitions)
    const span = { from, to: Date.now() }
    await timeline.read()
    console.info(
      `worker processes ${workers}: settled after ${settled - from} ms, ${timeline.claimedIn(span).size} slots moved, longest silence of a partition ${timeline.longestSilence(span, partitions)} ms`,
    )
  }
  await phase(1, async () => undefined)
  let others: readonly Running[] = []
  await phase(8, async () => {
    others = numbered(7).map(() => cluster.run('worker'))
  })
  expect(new Set(timeline.claims.map(({ worker }) => worker)).size, 'all 8 owned slots').toBe(8)
  await phase(2, async () => {
    expect(await Promise.all(others.slice(1).map((one) => one.stop()))).toEqual(numbered(6).map(() => 0))
  })
  enough.abort()
  const produced = await producing
  await cluster.drained(DEADLINE_MS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced })
})

const costly = fileURLToPath(new URL('./fixtures/costly.ts', import.meta.url))
const ROUNDS = Number(process.env.STORM_ROUNDS ?? 1)
const STORM_RECORDS = Number(process.env.STORM_RECORDS ?? 100_000)

test('a storm of joins, leaves, kills and crashes, one every second or two: work goes on between any two, every record has one fate', {
  timeout: 600_000,
}, async () => {
  const { seed, random } = seeded('storm')
  const { kafka, redis } = await useServices()
  const partitions = numbered(8)
  await using cluster = await TestCluster.open({
    ...{ kafka, redis, pipeline: costly, partitions: partitions.length },
    settings: { grace: GRACE_MS, fetchBytes: 32 * 1024 },
  })
  const first = await cluster.produce(STORM_RECORDS * ROUNDS, { seed })
  cluster.run('coordinator')
  const storm = new Storm(
    cluster,
    [cluster.run('worker'), cluster.run('worker'), cluster.run('worker')],
    random,
  )
  await ownedBy(cluster, 3, DEADLINE_MS)
  await using timeline = await Timeline.open(cluster)
  // Where the machine is fast enough to have done all of it before the storm is over.
  const enough = new AbortController()
  const producing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 200, seed: seed + 1 }, enough.signal)
  await timeline.goOn(DEADLINE_MS, partitions)
  const calm = { from: Date.now(), to: 0 }
  await timeline.goOn(DEADLINE_MS, partitions, 20)
  calm.to = Date.now()
  const span = { from: calm.to, to: 0 }
  const changes = shuffled(
    numbered(ROUNDS).flatMap(() => CHANGES),
    random,
  )
  while (changes.length > 0) {
    // The last but one may not go: then a join comes first.
    const next = storm.running.length < 3 ? Math.max(0, changes.indexOf('join')) : 0
    const [change = 'join'] = changes.splice(next, 1)
    await storm.carryOut(change)
    const changed = Date.now()
    await pause(1000 + 1000 * random())
    await until(`records go on after a ${change}`, DEADLINE_MS, async () => {
      await timeline.read()
      return partitions.some((partition) => (timeline.moved(partition).at(-1)?.at ?? 0) > changed)
    })
  }
  span.to = Date.now()
  expect(await Promise.all(storm.leaving), 'those that leave end in good order').toEqual(
    storm.leaving.map(() => 0),
  )
  enough.abort()
  const produced = first + (await producing)
  await cluster.settled(DEADLINE_MS)
  await cluster.drained(DEADLINE_MS)
  await timeline.read()
  const ratio = timeline.rate(partitions, span) / timeline.rate(partitions, calm)
  const claims = timeline.claims.filter(({ at }) => at > span.from && at <= span.to).length
  console.info(
    `storm: ${CHANGES.length * ROUNDS} changes in ${span.to - span.from} ms, ${claims} claims; longest time without any commit ${timeline.silence(partitions, span)} ms, of one partition ${timeline.longestSilence(span, partitions)} ms; throughput ${ratio.toFixed(2)} of calm`,
  )
  expect(claims, 'the storm was felt').toBeGreaterThan(CHANGES.length * ROUNDS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced })
})

/** Stated, in ms; a machine that is busy with others is granted five times as much. */
const FOUND_MS = 30_000
const GRANTED = 5

test('a partition that the input gains is found and owned, and its records are processed', {
  timeout: 300_000,
}, async () => {
  const { seed } = seeded('partition')
  const { kafka, redis } = await useServices()
  const before = numbered(3)
  const added = before.length
  await using cluster = await TestCluster.open({ kafka, redis, partitions: before.length })
  await cluster.start(2)
  await using timeline = await Timeline.open(cluster)
  const first = await cluster.produce(3000, { seed })
  await cluster.drained(DEADLINE_MS)
  await withAdmins(cluster.settings, ({ input }) =>
    input.createPartitions({ topicPartitions: [{ topic: cluster.names.input, count: added + 1 }] }),
  )
  const from = Date.now()
  // kafkajs knows the new partition from its own start on.
  const enough = new AbortController()
  const producing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 500, seed: seed + 1 }, enough.signal)
  await until('the new partition is processed', FOUND_MS * GRANTED, async () => {
    await timeline.read()
    return timeline.next(added) > 0
  })
  const found = timeline.moved(added).find(({ next }) => next > 0)
  console.info(
    `a new partition: its first records are committed after ${(found?.at ?? 0) - from} ms (stated ${FOUND_MS})`,
  )
  console.info(
    `longest silence of the others meanwhile: ${timeline.longestSilence({ from, to: Date.now() }, before)} ms`,
  )
  enough.abort()
  const produced = first + (await producing)
  await cluster.input.refresh(cluster.names.input)
  await cluster.drained(DEADLINE_MS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced })
})
