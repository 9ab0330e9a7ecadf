/**
 * What a run came to: the audit itself, from outside, and what it does not look at: that everything was processed, that
 * plans are lawful, that orderly hand-overs fence nobody, that views show what the state holds.
 */
import { isDeepStrictEqual } from 'node:util'
import { audit } from '../../audit/audit.ts'
import { verdictLine } from '../../audit/report.ts'
import { StateFollower } from '../../audit/state.ts'
import { scan } from '../../cluster/kafka/scan.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { clusterTopic } from '../../cluster/protocol/names.ts'
import type { PlanRecord } from '../../cluster/protocol/plan.ts'
import { parsePlan } from '../../cluster/protocol/report.ts'
import { CLUSTER_ID } from './broker.ts'
import type { Cluster } from './cluster.ts'
import { names, pipeline } from './pipeline.ts'
import { Member } from './processes.ts'
import { topologyOn } from './wire.ts'

const PATIENCE = { openTransactions: 60_000 }
const AUDIT_MS = 120_000

/** True where every record has its fate, and every slot runs where the cluster wants it. */
export const isDone = (cluster: Cluster): boolean => {
  const reports = cluster.living.flatMap(({ worker }) => worker?.report() ?? [])
  const slots = new Set(reports.filter(({ state }) => state === 'running').map(({ slot }) => slot))
  if (slots.size < cluster.shape.slots || reports.length !== slots.size) return false
  const next = new Map(reports.flatMap((one) => one.partitions.map((p) => [p.partition, p.next])))
  const isBehind = (count: number, partition: number) => (next.get(partition) ?? 0) < count
  return !cluster.produced.some(isBehind) && reports.every(({ counters }) => counters.parked === 0)
}

/** Why it is not done, for people. */
export const stuck = (cluster: Cluster): string => {
  const said = cluster.living.map(({ process, worker }) => {
    const slots = worker?.report().map(({ slot, state, reason, partitions, counters }) => {
      const at = partitions.map(({ partition, next }) => `${partition}@${next}`).join(' ')
      return `${slot} ${state} ${reason} ${at} parked ${counters.parked}`
    })
    return `${process.name}: ${slots?.join('; ')}`
  })
  return `not done: produced ${cluster.produced.join(' ')}; ${said.join(' | ')}`
}

/** What is wrong, in words; empty where nothing is. @param gentle nothing hit a worker or a wire */
export const judge = async (cluster: Cluster, gentle: boolean): Promise<readonly string[]> => {
  const auditor = new Member(cluster, 'auditor')
  const topology = topologyOn(auditor.kafka)
  const work = cluster.world.as(auditor.process, async () => [
    ...(await auditFindings(topology)),
    ...(await planFindings(topology, gentle)),
    ...(await viewFindings(cluster, topology)),
  ])
  const outcome = await within(cluster, work)
  const hit = gentle ? ', though nothing hit a worker or a wire' : ''
  // A shard that gets a new partition takes its slot over anew; no other does.
  const most = { halted: 0, shardFailed: 0, ...(gentle && { fenced: 0, reopened: cluster.grown }) }
  const happened = Object.entries(most).flatMap(([name, times]) => {
    const count = cluster.count(name)
    return count > times ? [`${name}, ${count} times${hit}`] : []
  })
  return [...outcome, ...happened]
}

const within = async (cluster: Cluster, work: Promise<string[]>): Promise<string[]> => {
  let outcome: string[] | undefined
  const settled = work.then(
    (found) => {
      outcome = found
    },
    (error) => {
      outcome = [`the audit fails: ${error}`]
    },
  )
  await cluster.world.run(cluster.world.now + AUDIT_MS, () => outcome !== undefined)
  if (outcome === undefined) return ['the audit does not end']
  await settled
  return outcome
}

const auditFindings = async (topology: Topology): Promise<string[]> => {
  const where = { input: topology, home: topology, clusterId: CLUSTER_ID }
  const report = await audit({ ...where, names, pipeline, name: 'p' })
  // The views are compared below, against the state.
  const unsaid = report.notProvable.filter((line) => line !== 'Redis: it was not asked')
  if (report.ok && unsaid.length === 0 && report.parked === 0) return []
  return [`${verdictLine(report)} ${unsaid.join('; ')} ${JSON.stringify(report.offending)}`]
}

/**
 * Epochs rise; a slot that is being released has no owner, and was taken away by now. Where nothing hit a worker, somebody
 * always lives: a slot without an owner is being released.
 */
const planFindings = async (topology: Topology, gentle: boolean): Promise<string[]> => {
  const plans = await plansOf(topology)
  return plans.flatMap((plan, at) => {
    const { epoch, owners, releasing = {}, orders } = plan
    const wrong: string[] = []
    if (epoch <= (plans[at - 1]?.epoch ?? 0)) wrong.push(`plan ${epoch} comes after ${plans[at - 1]?.epoch}`)
    for (const [slot, { since }] of Object.entries(releasing))
      if (owners[Number(slot)] !== null || since > epoch)
        wrong.push(`plan ${epoch} releases slot ${slot} since ${since}, of ${owners[Number(slot)]}`)
    // Whoever drains all that live wants nobody to own anything.
    const isDrained = (orders?.drains.length ?? 0) > 0
    if (gentle && !isDrained && owners.some((owner, slot) => owner === null && releasing[slot] === undefined))
      wrong.push(`plan ${epoch} leaves slots to nobody, though workers live`)
    return wrong
  })
}

const plansOf = async (topology: Topology): Promise<PlanRecord[]> => {
  const topic = clusterTopic()
  const plans: PlanRecord[] = []
  const to = (await topology.ends(topic, [0])).get(0) ?? 0
  await scan(topology, { topic, partition: 0, from: 0, to }, ({ bytes, valueStart, valueEnd }) => {
    const plan = parsePlan(bytes.toString('utf8', valueStart, valueEnd))
    if (plan !== undefined) plans.push(plan)
  })
  return plans
}

const viewFindings = async (cluster: Cluster, topology: Topology): Promise<string[]> => {
  const { windows } = await new StateFollower(topology, names.state, PATIENCE).read()
  return [...windows].flatMap(([slot, stored]) => {
    const shown = cluster.redis.views.get(slot)?.windows ?? new Map()
    const held = new Map(stored.map((one) => [`${one.aggregate}/${one.size}/${one.start}`, one.state.value]))
    const differ = [...held].filter(([key, value]) => !isDeepStrictEqual(shown.get(key)?.value, value))
    const beyond = [...shown.keys()].filter((key) => !held.has(key))
    return [
      ...differ.map(([key]) => `slot ${slot}: the view of ${key} is not what the state holds`),
      ...beyond.map((key) => `slot ${slot}: the view ${key} is of no window of the state`),
    ]
  })
}
