/** Workers that come and go, for as long as one of them runs slots. */
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import { type Running, type TestCluster, until } from './cluster.ts'
import { findReport, killBoth, ownersIn } from './fleet.ts'

/** `kill`: its supervisor starts the worker again; `crash`: both are gone. */
export type Change = 'join' | 'leave' | 'kill' | 'crash'
/** One round: as many come as go. */
export const CHANGES: readonly Change[] = [
  'join',
  'join',
  'join',
  'join',
  'leave',
  'leave',
  'kill',
  'kill',
  'crash',
  'crash',
]

const PATIENCE_MS = 120_000

export const shuffled = <T>(items: readonly T[], random: () => number): T[] => {
  const rest = [...items]
  return items.flatMap(() => rest.splice(Math.floor(random() * rest.length), 1))
}

/** Workers that come and go; one that runs slots always stays. */
export class Storm {
  readonly #cluster: TestCluster
  readonly #random: () => number
  readonly leaving: Promise<number | string>[] = []
  running: Running[]

  constructor(cluster: TestCluster, running: readonly Running[], random: () => number) {
    this.#cluster = cluster
    this.running = [...running]
    this.#random = random
  }

  async carryOut(change: Change): Promise<void> {
    if (change === 'join') {
      this.running.push(this.#cluster.run('worker'))
      return
    }
    const { running, report } = await this.#victim()
    if (change === 'kill') process.kill(report.pid, 'SIGKILL')
    else this.running = this.running.filter((one) => one !== running)
    if (change === 'crash') killBoth(running, report)
    if (change === 'leave') this.leaving.push(running.stop())
  }

  async #victim() {
    const found: { running: Running; report: WorkerReport }[] = []
    await until('two workers own slots', PATIENCE_MS, async () => {
      found.length = 0
      for (const running of this.running) {
        const report = await findReport(this.#cluster, running)
        if (report !== undefined && ownersIn([report]).length > 0) found.push({ running, report })
      }
      return found.length > 1
    })
    const victim = found[Math.floor(this.#random() * found.length)]
    if (victim === undefined) throw new Error('nobody there')
    return victim
  }
}
