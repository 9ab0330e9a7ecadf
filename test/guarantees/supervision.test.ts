/** Guarantee: whichever process dies or stands still, those beside it go on, and nobody loses a slot that still has its worker. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaPlanSource } from '../../cluster/kafka/plan-log.ts'
import { clusterTopic } from '../../cluster/protocol/names.ts'
import { isUnread, type PlanRecord, type WorkerReport } from '../../cluster/protocol/plan.ts'
import { type Running, TestCluster, until } from '../support/cluster.ts'
import { useServices } from '../support/services.ts'
import { timeOf, underLoad } from '../support/under-load.ts'

const run = promisify(execFile)
const LEASE = 4000
const BUDGET = 3
/** Less than the supervisor stands still for. */
const STALL = 7000
const RUNS = /worker process \d+ runs, pid (\d+)/

let cluster: TestCluster
let coordinator: Running
let workers: Running
beforeAll(async () => {
  const { kafka, redis } = await useServices()
  const settings = { lease: LEASE, restarts: BUDGET, stallTimeout: STALL }
  cluster = await TestCluster.open({ kafka, redis, settings })
  ;({ coordinator, workers } = await cluster.start(2))
})
afterAll(() => cluster[Symbol.asyncDispose]())

/** Of the processes that a supervisor has started, oldest first. */
const pidsOf = ({ lines }: Running): readonly number[] =>
  lines.flatMap((line) => {
    const pid = RUNS.exec(line)?.[1]
    return pid === undefined ? [] : [Number(pid)]
  })

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const plan = async (): Promise<PlanRecord | undefined> => {
  const topic = clusterTopic(cluster.settings.topicPrefix)
  const source = kafkaPlanSource({ topology: cluster.input, topic, notice: () => undefined })
  const newest = (await source.latest()).get(cluster.pipeline.name)
  return newest !== undefined && isUnread(newest) ? undefined : newest
}

const oneOf = async (random: () => number): Promise<WorkerReport> => {
  const reports = await cluster.reports()
  const found = reports[Math.floor(random() * reports.length)]
  if (found === undefined) throw new Error('no worker')
  return found
}

test(
  'kill -9 of the only coordinator, then of a worker: records flow on, the worker resumes its own slots; a new leader moves nobody',
  {
    timeout: 240_000,
  },
  () =>
    underLoad(cluster, 'nobody-leads', async ({ timeline, random }) => {
      const victim = await oneOf(random)
      const own = victim.owned.map(({ slot }) => slot).sort()
      const others = timeline.partitions.filter((partition) => !own.includes(partition))
      const [{ length }, began, before] = [timeline.claims, Date.now(), await plan()]
      expect(await coordinator.stop('SIGKILL')).toBe('SIGKILL')
      const killed = Date.now()
      process.kill(victim.pid, 'SIGKILL')
      await workers.says(/ended \(SIGKILL\)/, 60_000)
      await timeline.goOn(60_000, own)
      const again = timeline.claims.slice(length)
      expect(again.map(({ slot }) => slot).sort()).toEqual(own)
      for (const claim of again) expect(claim).toMatchObject({ worker: victim.worker, epoch: before?.epoch })
      const back = Math.max(...again.map(({ at }) => at))
      await until('every lease has ended', 60_000, async () => Date.now() > began + 2 * LEASE)
      coordinator = cluster.run('coordinator')
      await coordinator.says(/ leads, term /, 60_000)
      const led = timeOf(coordinator, / leads, term /)
      await timeline.goOn(60_000)
      console.info(
        `nobody led for ${led - began} ms; slots of the killed worker ran again after ${back - killed} ms;`,
      )
      console.info(
        `  longest that a partition of the other stood still: ${timeline.longestSilence({ from: began, to: led }, others)} ms`,
      )
      expect(timeline.still({ from: began, to: led })).toEqual([])
      expect(timeline.still({ from: killed, to: back }, others)).toEqual([])
      expect(timeline.claims.slice(length + own.length)).toEqual([])
      expect(await plan()).toEqual(before)
    }),
)

test(
  'a supervisor that stands still for longer than a lease and the stall timeout, and goes on: its workers never notice',
  {
    timeout: 240_000,
  },
  () =>
    underLoad(cluster, 'supervisor-frozen', async ({ timeline }) => {
      const [{ length }, ends, frozen] = [timeline.claims, workers.count(/ended/), Date.now()]
      workers.child.kill('SIGSTOP')
      try {
        const enough = frozen + Math.max(LEASE, STALL) + 1000
        await until('that has passed', 60_000, async () => Date.now() > enough)
        await timeline.goOn(60_000)
        const [state] = (await run('ps', ['-o', 'stat=', '-p', String(workers.child.pid)])).stdout
        expect(state, 'the fault was seen: it is stopped').toBe('T')
      } finally {
        workers.child.kill('SIGCONT')
      }
      const thawed = Date.now()
      expect(timeline.still({ from: frozen, to: thawed })).toEqual([])
      await timeline.goOn(60_000)
      expect(timeline.claims.slice(length)).toEqual([])
      expect(workers.count(/ended/)).toBe(ends)
      console.info(`supervisor frozen for ${thawed - frozen} ms:`)
      console.info(
        `  longest that a partition stood still: ${timeline.longestSilence({ from: frozen, to: thawed })} ms`,
      )
    }),
)

test(
  'kill -9 of the supervisor: its workers end by themselves in good order, and a new one goes on',
  {
    timeout: 240_000,
  },
  () =>
    underLoad(cluster, 'supervisor-killed', async ({ timeline }) => {
      const pids = (await cluster.reports()).map(({ pid }) => pid)
      expect(pids).toHaveLength(2)
      const killed = Date.now()
      workers.child.kill('SIGKILL')
      await until('no orphan is left', 60_000, async () => !pids.some(isAlive))
      const gone = Date.now()
      expect(await workers.exited).toBe('SIGKILL')
      console.info(`supervisor killed: its workers had ended after ${gone - killed} ms`)
      const { length } = timeline.claims
      workers = cluster.run('worker', '--processes', '2')
      await timeline.goOn(60_000)
      const names = new Set(timeline.claims.slice(length).map(({ worker }) => worker))
      expect(names.size, 'workers of another name, as their predecessors left').toBeGreaterThan(0)
    }),
)

test(
  `a worker that dies more than ${BUDGET} times ends \`millrace worker\` with 11 and one clear line; the next one goes on`,
  {
    timeout: 240_000,
  },
  () =>
    underLoad(cluster, 'restart-budget', async ({ timeline }) => {
      for (let kill = 1; kill <= BUDGET + 1; kill++) {
        await until('a worker runs', 60_000, async () => pidsOf(workers).length >= 1 + kill)
        process.kill(pidsOf(workers).at(-1) ?? 0, 'SIGKILL')
        if (kill <= BUDGET) await workers.says(/ended \(SIGKILL\)/, 60_000, kill)
      }
      expect(await workers.exited).toBe(11)
      const said = workers.lines.filter((line) => /more than/.test(line))
      expect(said).toEqual([
        expect.stringMatching(
          `worker processes ended more than ${BUDGET} times within 60000 ms; the last with SIGKILL`,
        ),
      ])
      expect(
        workers.lines.filter((line) => /^\s+at /.test(line)),
        'no stack trace',
      ).toEqual([])
      workers = cluster.run('worker', '--processes', '2')
      await timeline.goOn(60_000)
    }),
)
