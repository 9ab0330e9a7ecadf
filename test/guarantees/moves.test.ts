/**
 * Guarantee: where workers come and go in good order, only the slots that move pause, and briefly.  Measured from outside, by the times of the commits in the state topic.
 * `MOVES_PIPELINE=user-login MOVES_WAITING=100000` has the first with a shipped pipeline and the settings as they are.
 */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { clean, type Running, TestCluster } from '../support/cluster.ts'
import { ownedBy } from '../support/fleet.ts'
import { Load } from '../support/load.ts'
import { seeded } from '../support/seed.ts'
import { useServices } from '../support/services.ts'
import { longestSilence, type Span, Timeline } from '../support/timeline.ts'

const PARTITIONS = Array.from({ length: 8 }, (_, partition) => partition)
const costly = fileURLToPath(new URL('./fixtures/costly.ts', import.meta.url))
const pipeline = process.env.MOVES_PIPELINE ?? costly
/** Its batches take as long as those of a cheaper pipeline at its defaults. */
const settings = pipeline === costly ? { fetchBytes: 32 * 1024 } : {}
/** Records that wait in each partition, at the least. */
const WAITING = Number(process.env.MOVES_WAITING ?? 5000)
const DEADLINE_MS = 120_000

/** Stated, in ms; a machine that is busy with others is granted five times as much. */
const UNMOVED_MS = 1000
const MOVED_MS = 3000
const GRANTED = 5

/** Where the time of a move went: ms from the last commit to the plan that takes the slot away, to the one that gives it, to the claim, to the first commit. */
const stepsOf = (timeline: Timeline, slot: number, span: Span): string => {
  const claim = timeline.claims.findLast(
    (one) => one.slot === slot && one.at > span.from && one.at <= span.to,
  )
  const at = claim?.at ?? 0
  const last = timeline.moved(slot).findLast((moved) => moved.at <= at)?.at ?? 0
  const taken = timeline.plans.findLast(
    (plan) => plan.at > span.from && plan.at < at && plan.releasing?.[slot],
  )
  const given = timeline.plans.find(({ epoch }) => epoch === claim?.epoch)
  const first = timeline.moved(slot).find((moved) => moved.at > at)
  const since = (time: number | undefined) => (time === undefined ? '-' : Math.round(time - last))
  return `slot ${slot}, ms since its last commit: taken ${since(taken?.at)}, given ${since(given?.at)}, claimed ${since(at)}, commits ${since(first?.at)}`
}

const judge = (what: string, timeline: Timeline, span: Span, calm: number): void => {
  const isMoved = (partition: number) => timeline.isClaimed(partition, span)
  const moved = PARTITIONS.filter(isMoved)
  const stayed = PARTITIONS.filter((partition) => !isMoved(partition))
  const silences = {
    moved: longestSilence(timeline, moved, span),
    stayed: longestSilence(timeline, stayed, span),
  }
  console.info(
    `${what}: ${moved.length} of ${PARTITIONS.length} moved; longest silence of a moved one ${silences.moved} ms (stated ${MOVED_MS}), of the others ${silences.stayed} ms (stated ${UNMOVED_MS}; ${calm} before)`,
  )
  for (const slot of moved) console.info(stepsOf(timeline, slot, span))
  expect(moved.length, 'the fault was seen').toBeGreaterThan(0)
  expect(stayed.length, 'the others stayed').toBeGreaterThan(0)
  expect(silences.stayed).toBeLessThan(UNMOVED_MS * GRANTED)
  expect(silences.moved).toBeLessThan(MOVED_MS * GRANTED)
}

/** Of each partition, before and after a change. */
const COMMITS = 10

test('a join and a leave under full load: unmoved ones go on, moved ones pause briefly', {
  timeout: 300_000,
}, async () => {
  const { seed } = seeded('moves')
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({
    ...{ kafka, redis, pipeline, settings },
    partitions: PARTITIONS.length,
  })
  await using timeline = await Timeline.open(cluster)
  const enough = new AbortController()
  const load = new Load(cluster, timeline, {
    ...{ seed, partitions: PARTITIONS, waiting: WAITING, signal: enough.signal },
  })
  await load.full
  await cluster.start(2)
  const span = async (change: () => Promise<void>): Promise<Span> => {
    await timeline.goOn(PARTITIONS, DEADLINE_MS, COMMITS)
    const from = Date.now()
    await change()
    await timeline.goOn(PARTITIONS, DEADLINE_MS, COMMITS)
    const to = Date.now()
    await timeline.read()
    return { from, to }
  }
  const calm = longestSilence(timeline, PARTITIONS, await span(async () => undefined))
  let third: Running | undefined
  const join = await span(async () => {
    third = cluster.run('worker')
    await ownedBy(cluster, 3, DEADLINE_MS)
  })
  const leave = await span(async () => {
    expect(await third?.stop()).toBe(0)
    await ownedBy(cluster, 2, DEADLINE_MS)
  })
  enough.abort()
  await load.ended
  expect(load.least, 'every partition had records waiting at any time').toBeGreaterThan(0)
  judge('join', timeline, join, calm)
  judge('leave', timeline, leave, calm)
  await cluster.drained(DEADLINE_MS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: load.sent })
})
