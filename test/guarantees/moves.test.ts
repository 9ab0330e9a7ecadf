/**
 * Guarantee: where workers come and go in good order, only the slots that move pause, and briefly. Where an owner does not answer, its
 * slots run elsewhere soon after its lease has ended. Measured from outside, by the times of the commits in the state topic.
 * `MOVES_ROUNDS` has more than one join and leave.
 */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import { clean, type Running, TestCluster, until } from '../support/cluster.ts'
import { ownedBy, reportOf } from '../support/fleet.ts'
import { Load } from '../support/load.ts'
import { seeded } from '../support/seed.ts'
import { useServices } from '../support/services.ts'
import { type Span, Timeline } from '../support/timeline.ts'

const PARTITIONS = Array.from({ length: 8 }, (_, partition) => partition)
const costly = fileURLToPath(new URL('./fixtures/costly.ts', import.meta.url))
/** Batches take as long as those of a cheaper pipeline at its defaults; an orderly end is granted five times as much as well. */
const settings = { fetchBytes: 32 * 1024, grace: 40_000 }
/** Records in each partition, at the least. */
const WAITING = 4000
const ROUNDS = Number(process.env.MOVES_ROUNDS ?? 1)
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
    moved: timeline.longestSilence(span, moved),
    stayed: timeline.longestSilence(span, stayed),
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
    ...{ kafka, redis, settings, pipeline: costly },
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
    await timeline.goOn(DEADLINE_MS, PARTITIONS, COMMITS)
    const from = Date.now()
    await change()
    await timeline.goOn(DEADLINE_MS, PARTITIONS, COMMITS)
    const to = Date.now()
    await timeline.read()
    return { from, to }
  }
  const calm = timeline.longestSilence(await span(async () => undefined), PARTITIONS)
  for (let round = 1; round <= ROUNDS; round++) {
    let third: Running | undefined
    const join = await span(async () => {
      third = cluster.run('worker')
      await ownedBy(cluster, 3, DEADLINE_MS)
    })
    const leave = await span(async () => {
      expect(await third?.stop()).toBe(0)
      await ownedBy(cluster, 2, DEADLINE_MS)
    })
    judge('join', timeline, join, calm)
    judge('leave', timeline, leave, calm)
  }
  enough.abort()
  await load.ended
  // A partition that ran dry would only seem more silent than it was.
  console.info(`at least ${load.least} records waited in every partition`)
  await cluster.drained(DEADLINE_MS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: load.sent })
})

/** Stated: the slots of an owner that does not answer run elsewhere so long after its lease began to run out. */
const ELSEWHERE_MS = 3000

test('an owner that is killed and one that is frozen: its slots run elsewhere when its lease ends; started again or thawed it disturbs nobody', {
  timeout: 300_000,
}, async () => {
  const { seed } = seeded('moves')
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis, partitions: PARTITIONS.length })
  const { lease } = cluster.settings
  cluster.run('coordinator')
  const [killed, frozen, third] = [cluster.run('worker'), cluster.run('worker'), cluster.run('worker')]
  await ownedBy(cluster, 3, DEADLINE_MS)
  await using timeline = await Timeline.open(cluster)
  const enough = new AbortController()
  const producing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 1000, seed }, enough.signal)
  await timeline.goOn(DEADLINE_MS, PARTITIONS, 2)
  const victim = await reportOf(cluster, killed)
  using _ = stopped(killed.child.pid)
  process.kill(victim.pid, 'SIGKILL')
  await runElsewhere(timeline, victim, lease)
  // Its supervisor starts it again only now, with the plan that it kept.
  process.kill(killed.child.pid ?? 0, 'SIGCONT')
  await ownedBy(cluster, 3, DEADLINE_MS)
  expect(killed.count(/ended \(SIGKILL\)/), 'it was started again').toBe(1)
  expect(frozen.count(/fenced/) + third.count(/fenced/), 'nobody lost a slot to it without a plan').toBe(0)
  await timeline.goOn(DEADLINE_MS, PARTITIONS, 2)

  const report = await reportOf(cluster, frozen)
  {
    using _ = stopped(frozen.child.pid)
    using __ = stopped(report.pid)
    await runElsewhere(timeline, report, lease)
  }
  await frozen.says(new RegExp(`${report.worker} slot \\d+: fenced`), DEADLINE_MS)
  await timeline.goOn(DEADLINE_MS, PARTITIONS)
  enough.abort()
  const produced = await producing
  await cluster.settled(DEADLINE_MS)
  await cluster.drained(DEADLINE_MS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced })
})

/** Frozen until it is disposed of. */
const stopped = (pid = 0): Disposable => {
  process.kill(pid, 'SIGSTOP')
  return { [Symbol.dispose]: () => void process.kill(pid, 'SIGCONT') }
}

/** Called right after its owner fell silent: waits until each of its slots has commits of another. */
const runElsewhere = async (timeline: Timeline, victim: WorkerReport, lease: number): Promise<void> => {
  const from = Date.now()
  await timeline.read()
  // By their claims: a report is as old as a second, and slots move.
  const slots = [...timeline.owners()].flatMap(([slot, worker]) => (worker === victim.worker ? [slot] : []))
  const firstOf = (slot: number): number | undefined => {
    const claim = timeline.claims.find(
      (one) => one.slot === slot && one.at > from && one.worker !== victim.worker,
    )
    return claim && timeline.moved(slot).find(({ at }) => at > claim.at)?.at
  }
  expect(slots.length, 'it owned slots').toBeGreaterThan(0)
  await until(`the slots of ${victim.worker} run elsewhere`, DEADLINE_MS, async () => {
    await timeline.read()
    return slots.every((slot) => firstOf(slot) !== undefined)
  })
  const took = Math.max(...slots.map((slot) => (firstOf(slot) ?? Number.NaN) - from))
  console.info(
    `${slots.length} slots run elsewhere ${took} ms after their owner fell silent (stated ${lease} + ${ELSEWHERE_MS})`,
  )
  expect(took).toBeLessThan((lease + ELSEWHERE_MS) * GRANTED)
}
