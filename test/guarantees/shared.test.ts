/**
 * Guarantee: pipelines that share one cluster (coordinator, Redis, Kafka) do not disturb each other: a worker of one that dies moves
 * nothing of the other. (Two that write one topic are refused: test/cli/topic-conflict.test.ts.)
 */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { killBoth, ownedBy, reportOf } from '../support/fleet.ts'
import { seeded } from '../support/seed.ts'
import { useServices } from '../support/services.ts'
import { Timeline } from '../support/timeline.ts'

const PARTITIONS = [0, 1, 2, 3]
const DEADLINE_MS = 120_000
const counting = fileURLToPath(new URL('./fixtures/counting-v1.ts', import.meta.url))

test('two pipelines under one coordinator: the slots of a killed worker move, those of the other pipeline stay and go on', {
  timeout: 300_000,
}, async () => {
  const { seed } = seeded('shared')
  const { kafka, redis } = await useServices()
  const given = { kafka, redis, partitions: PARTITIONS.length }
  await using one = await TestCluster.open(given)
  const { clusterId, topicPrefix } = one.settings
  await using other = await TestCluster.open({
    ...given,
    pipeline: counting,
    settings: { clusterId, topicPrefix },
  })
  one.run('coordinator')
  const victim = one.run('worker')
  for (const cluster of [one, other, other]) cluster.run('worker')
  await Promise.all([one, other].map((cluster) => ownedBy(cluster, 2, DEADLINE_MS)))
  await using ofOne = await Timeline.open(one)
  await using ofOther = await Timeline.open(other)
  const enough = new AbortController()
  const flowing = [one, other].map((cluster, index) =>
    cluster.produce(Number.POSITIVE_INFINITY, { rate: 1000, seed: seed + index }, enough.signal),
  )
  await Promise.all([ofOne, ofOther].map((timeline) => timeline.goOn(DEADLINE_MS, PARTITIONS)))
  const report = await reportOf(one, victim)
  const lost = report.owned.map(({ slot }) => slot)
  const from = Date.now()
  killBoth(victim, report)
  await until('the slots of the killed worker run elsewhere', DEADLINE_MS, async () => {
    await ofOne.read()
    return lost.every((slot) => ofOne.claimedIn({ from, to: Number.POSITIVE_INFINITY }).has(slot))
  })
  await ofOne.goOn(DEADLINE_MS, PARTITIONS)
  await ofOther.goOn(DEADLINE_MS, PARTITIONS)
  const span = { from, to: Date.now() }
  enough.abort()
  const [producedOne, producedOther] = await Promise.all(flowing)
  console.info(
    `shared: ${lost.length} slots of one pipeline moved; longest silence of the other's partitions ${ofOther.longestSilence(span, PARTITIONS)} ms`,
  )
  expect(lost.length, 'the killed worker owned slots').toBeGreaterThan(0)
  expect(ofOne.plans.some(({ at }) => at > from)).toBe(true)
  expect(ofOther.plans.filter(({ at }) => at > from)).toEqual([])
  expect([...ofOther.claimedIn(span)]).toEqual([])
  await Promise.all([one.drained(DEADLINE_MS), other.drained(DEADLINE_MS)])
  expect(await one.audit()).toMatchObject({ ...clean, produced: producedOne })
  expect(await other.audit()).toMatchObject({ ...clean, produced: producedOther })
})
