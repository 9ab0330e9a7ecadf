/** The supervisor of this machine's worker processes, as `worker` and `demo` start it. */
import { entryUrl } from '../cluster/entry.ts'
import type { Settings } from '../cluster/settings.ts'
import { type Supervisor, startSupervisor } from '../workers/supervisor.ts'

/** The drain's own deadline comes first; the supervisor kills a little later. */
const KILL_AFTER_MS = 1500
const BACKOFF = { firstMs: 200, maxMs: 10_000 }

export interface WorkersToSupervise {
  readonly processes: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onReady?: (index: number, pid: number) => void
  /** Takes a line on what becomes of the processes. */
  readonly say: (line: string) => void
}

export const superviseWorkers = (settings: Settings, options: WorkersToSupervise): Supervisor =>
  startSupervisor({
    ...options,
    entry: entryUrl('./worker-process', import.meta.url),
    graceMs: settings.grace + KILL_AFTER_MS,
    silenceMs: settings.stallTimeout,
    rules: { budget: { restarts: settings.restarts, windowMs: settings.restartWindow }, backoff: BACKOFF },
    // kafkajs on Node 24 would warn in each process.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    onRestart: (index, reason, waitMs) =>
      options.say(`worker process ${index + 1} ended (${reason}); starts again in ${waitMs} ms`),
  })
