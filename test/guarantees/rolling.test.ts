/**
 * Guarantee: processes of an old and of a new protocol version work in one cluster. Rolled forward worker by worker, then the
 * coordinator, and one step back, under load: nothing is lost or doubled, nobody is taken for dead, no slot waits longer than for a move.
 */
import { expect, test } from 'vitest'
import { kafkaPlanSource } from '../../cluster/kafka/plan-log.ts'
import { clusterTopic } from '../../cluster/protocol/names.ts'
import { PROTOCOL, type Protocol } from '../../cluster/protocol/negotiation.ts'
import { isUnread, type PlanRecord } from '../../cluster/protocol/plan.ts'
import { clean, type Running, TestCluster, until } from '../support/cluster.ts'
import { otherBuild } from '../support/other-build.ts'
import { useServices } from '../support/services.ts'

const OLD = PROTOCOL.newest
const NEW = OLD + 1
const BOTH: Protocol = { newest: NEW, oldest: PROTOCOL.oldest }
const WORKERS = 2
/** Stated for a moved slot: 3 s. A busy machine is given five times as long. */
const MOVE_MS = 15_000

interface Seen {
  readonly plan: PlanRecord
  /** performance.now() */
  readonly at: number
}

/** Every plan that is written from here on, whatever its version. */
const followed = (cluster: TestCluster) => {
  const plans: Seen[] = []
  const topic = clusterTopic(cluster.settings.topicPrefix)
  const source = kafkaPlanSource({ topology: cluster.input, topic, notice: () => undefined, protocol: BOTH })
  const stop = source.follow((plan) => {
    if (!isUnread(plan)) plans.push({ plan, at: performance.now() })
  })
  return { plans, [Symbol.dispose]: stop }
}

/** ms of the longest time that a slot had no owner, once it had its first. */
const longestWait = (plans: readonly Seen[]): number => {
  const since = new Map<number, number>()
  let longest = 0
  for (const { plan, at } of plans)
    for (const [slot, owner] of plan.owners.entries()) {
      if (owner === null) since.set(slot, since.get(slot) ?? at)
      else {
        longest = Math.max(longest, at - (since.get(slot) ?? at))
        since.delete(slot)
      }
    }
  return longest
}

/** Owners whose slots went to another without their having let go: they left, or were taken for dead. */
const passedOver = (plans: readonly Seen[]): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const [index, { plan }] of plans.entries())
    for (const [slot, owner] of (plans[index - 1]?.plan.owners ?? []).entries())
      if (owner !== null && plan.owners[slot] !== null && plan.owners[slot] !== owner) found.add(owner)
  return found
}

/** For whoever has to find out why. */
const told = (plans: readonly Seen[], all: readonly Running[]): string =>
  [
    ...plans.map(({ plan, at }) => `${Math.round(at)} ms: ${JSON.stringify(plan)}`),
    ...all.flatMap(({ lines }, index) => lines.map((line) => `${index}: ${line}`)),
  ].join('\n')

const versionsOf = (plans: readonly Seen[]): readonly number[] =>
  plans.map(({ plan }) => plan.version).filter((version, index, all) => version !== all[index - 1])

test('rolled worker by worker, then the coordinator, and one step back: lost 0, double 0, nobody is taken for dead', {
  timeout: 300_000,
}, async () => {
  const services = await useServices()
  await using newer = await otherBuild({
    file: 'cluster/protocol/negotiation.ts',
    from: `newest: ${OLD},`,
    to: `newest: ${NEW},`,
  })
  await using cluster = await TestCluster.open({ ...services, protocol: BOTH })
  using log = followed(cluster)
  const left = new Set<string>()
  const all: Running[] = []
  const started = (one: Running): Running => {
    all.push(one)
    return one
  }
  const olderWorker = () => started(cluster.run('worker', '--processes', '1'))
  const newerWorker = () => started(cluster.runOf(newer.entry, 'worker', '--processes', '1'))
  const live = async () => (await cluster.roster()).live.map(({ worker }) => worker)
  const planned = (version: number) =>
    until(`the plan is of version ${version}`, 60_000, async () => log.plans.at(-1)?.plan.version === version)

  /** A new one comes, the old one leaves, as a rolling update does it. */
  const roll = async (from: Running, start: () => Running): Promise<Running> => {
    const before = await live()
    const to = start()
    await until('it has joined', 60_000, async () => (await live()).length === before.length + 1)
    await cluster.settled(60_000)
    expect(await from.stop()).toBe(0)
    const after = await live()
    for (const worker of before.filter((one) => !after.includes(one))) left.add(worker)
    await cluster.settled(60_000)
    return to
  }

  const coordinator = started(cluster.run('coordinator'))
  const workers = Array.from({ length: WORKERS }, olderWorker)
  await until('all have joined', 60_000, async () => (await live()).length === WORKERS)
  await cluster.settled(60_000)
  const enough = new AbortController()
  const flowing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 1000, seed: 8 }, enough.signal)
  await cluster.flows(60_000)

  for (const [index, one] of workers.entries()) workers[index] = await roll(one, newerWorker)
  expect(versionsOf(log.plans), 'as long as the leader is an old one').toEqual([OLD])
  const next = started(cluster.runOf(newer.entry, 'coordinator'))
  await next.says(/coordinator .* serves/, 60_000)
  expect(await coordinator.stop()).toBe(0)
  await planned(NEW)

  // An old one that stands by does not lead where it cannot read the plan: another one has to come.
  const standby = started(cluster.run('coordinator'))
  await standby.says(
    new RegExp(`is of protocol version ${NEW}, this one reads up to ${OLD}: upgrade it`),
    60_000,
  )
  expect(await next.stop()).toBe(0)
  const last = started(cluster.runOf(newer.entry, 'coordinator'))
  await last.says(/leads/, 60_000)
  expect(standby.count(/ leads/)).toBe(0)

  const [first] = workers
  if (first === undefined) throw new Error('no worker')
  await roll(first, olderWorker)
  await planned(OLD)
  await cluster.settled(60_000)
  enough.abort()
  const produced = await flowing
  await cluster.drained(60_000)

  expect(versionsOf(log.plans), told(log.plans, all)).toEqual([OLD, NEW, OLD])
  const wait = longestWait(log.plans)
  console.info(
    `rolling: ${log.plans.length} plans, a slot without an owner for ${Math.round(wait)} ms at most`,
  )
  expect(wait).toBeLessThan(MOVE_MS)
  for (const worker of passedOver(log.plans)) expect([...left], 'taken for dead').toContain(worker)
  for (const one of all) expect(one.count(/fenced|starts again/), one.lines.join('\n')).toBe(0)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced })
})
