/** Every command: what it is for, and where it lives. A command's file is loaded when it is called, so that help comes fast. */
import type { Command } from 'commander'

export interface Entry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<Command>
}

const entry = (name: string, summary: string, load: () => Promise<Command>): Entry => ({
  name,
  summary,
  load,
})

export const entries: readonly Entry[] = [
  entry('init', 'start a project of your own', async () =>
    (await import('./commands/init.ts')).initCommand(),
  ),
  entry('dev', 'run a pipeline on this machine while you write it', async () =>
    (await import('./commands/dev.ts')).devCommand(),
  ),
  entry('demo', 'run everything on this machine and show what comes out', async () =>
    (await import('./commands/demo.ts')).demoCommand(),
  ),
  entry('services', 'start, stop or show local Kafka and Redis', async () =>
    (await import('./commands/services.ts')).servicesCommand(),
  ),
  entry('worker', 'run worker processes of a pipeline under their supervisor', async () =>
    (await import('./commands/worker.ts')).workerCommand(),
  ),
  entry('coordinator', 'run the process that assigns slots to workers', async () =>
    (await import('./commands/coordinator.ts')).coordinatorCommand(),
  ),
  entry('run', 'run a pipeline under another name, from a point of your choice', async () =>
    (await import('./commands/run.ts')).runCommand(),
  ),
  entry('audit', 'count the fate of every input record from outside', async () =>
    (await import('./commands/audit.ts')).auditCommand(),
  ),
  entry('status', 'show who leads, workers and partitions', async () =>
    (await import('./commands/status.ts')).statusCommand(),
  ),
  entry('drain', 'take all slots from a worker, before maintenance', async () =>
    (await import('./commands/drain.ts')).drainCommand(),
  ),
  entry('pause', 'stop reading partitions', async () => (await import('./commands/pause.ts')).pauseCommand()),
  entry('resume', 'read paused partitions again', async () =>
    (await import('./commands/pause.ts')).resumeCommand(),
  ),
  entry('move', 'move the slot of a partition to a worker, once', async () =>
    (await import('./commands/move.ts')).moveCommand(),
  ),
  entry('pin', 'keep the slot of a partition on a worker', async () =>
    (await import('./commands/pin.ts')).pinCommand(),
  ),
  entry('insights', 'show the aggregates', async () =>
    (await import('./commands/insights.ts')).insightsCommand(),
  ),
  entry('dlq', 'look at dead letters, mend them, send them again', async () =>
    (await import('./commands/dlq.ts')).dlqCommand(),
  ),
  entry('lint', 'check a pipeline module', async () => (await import('./commands/lint.ts')).lintCommand()),
  entry('dry-run', 'run a pipeline on records from stdin, without a broker', async () =>
    (await import('./commands/dry-run.ts')).dryRunCommand(),
  ),
  entry('topics', 'make, list and describe the topics of a pipeline', async () =>
    (await import('./commands/topics.ts')).topicsCommand(),
  ),
  entry('acls', 'print the rights on Kafka that a pipeline needs', async () =>
    (await import('./commands/acls.ts')).aclsCommand(),
  ),
  entry('generate', 'produce made-up user logins', async () =>
    (await import('./commands/generate.ts')).generateCommand(),
  ),
  entry('send', 'produce records from stdin, one a line', async () =>
    (await import('./commands/send.ts')).sendCommand(),
  ),
  entry('tail', 'print committed records of a topic', async () =>
    (await import('./commands/tail.ts')).tailCommand(),
  ),
  entry('sink', 'write committed records of a topic into a store', async () =>
    (await import('./commands/sink.ts')).sinkCommand(),
  ),
  entry('settings', 'show the settings that count and where they come from', async () =>
    (await import('./commands/settings.ts')).settingsCommand(),
  ),
]
