/** `millrace worker`: a supervisor and its worker processes. */
import { Command } from 'commander'
import { wholeNumber } from '../arguments.ts'
import { connectedSettings } from '../connect.ts'
import { untilInterrupted } from '../interrupt.ts'
import { note } from '../output.ts'
import { superviseWorkers } from '../supervise-workers.ts'

interface Options {
  readonly processes?: number
}

export const workerCommand = (): Command =>
  new Command('worker')
    .description('Run worker processes of the pipeline in MILLRACE_PIPELINE under their supervisor.')
    .option('--processes <n>', 'worker processes (default: MILLRACE_PROCESSES)', wholeNumber)
    .action(run)

const run = async ({ processes }: Options): Promise<void> => {
  const settings = await connectedSettings(['input', 'home', 'redis'])
  using interrupted = untilInterrupted()
  const supervisor = superviseWorkers(settings, {
    processes: processes ?? settings.processes,
    env: process.env,
    onReady: (index, pid) => note(`worker process ${index + 1} runs, pid ${pid}`),
  })
  interrupted.signal.addEventListener('abort', () => void supervisor.stop(), { once: true })
  await supervisor.stopped
}
