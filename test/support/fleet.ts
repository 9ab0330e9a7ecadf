/** Workers as `--scale` has them: each is a `millrace worker` of its own, a supervisor with one worker process. */
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import { type Running, type TestCluster, until } from './cluster.ts'

/** Workers that run slots. */
export const ownersIn = (reports: readonly WorkerReport[]): readonly WorkerReport[] =>
  reports.filter(({ owned }) => owned.some(({ state }) => state === 'running'))

/** So many workers run slots, and every slot runs. */
export const ownedBy = async (cluster: TestCluster, workers: number, deadlineMs: number): Promise<void> => {
  await until(`${workers} workers own slots`, deadlineMs, async () => {
    const owners = ownersIn(await cluster.ownReports())
    return owners.length === workers
  })
  await cluster.settled(deadlineMs)
}

/** What its worker process says of itself; undefined where it is not there (yet, or any more). */
export const findReport = async (
  cluster: TestCluster,
  running: Running,
): Promise<WorkerReport | undefined> => {
  const started = [...running.lines.join('\n').matchAll(/worker process 1 runs, pid (\d+)/g)]
  const pid = Number(started.at(-1)?.[1])
  return (await cluster.ownReports()).find((report) => report.pid === pid)
}

export const reportOf = async (cluster: TestCluster, running: Running): Promise<WorkerReport> => {
  const report = await findReport(cluster, running)
  if (report === undefined) throw new Error(`no report of pid ${running.child.pid}'s worker`)
  return report
}

/** Nobody starts the worker again: the supervisor goes first. */
export const killBoth = (running: Running, report: WorkerReport): void => {
  running.child.kill('SIGKILL')
  process.kill(report.pid, 'SIGKILL')
}
