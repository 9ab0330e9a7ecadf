import { Command } from 'commander'
import { print } from '../output.ts'
import { type DrainOptions, drainWorker } from '../steer/drain.ts'
import { onGround } from '../steer/ground.ts'
import { type OrderOptions, WORKER, withOrderOptions } from '../steer/options.ts'

export const drainCommand = (): Command =>
  withOrderOptions(
    new Command('drain')
      .description(
        'Order that a worker owns nothing any more, and wait until that is so. It goes on running, idle.',
      )
      .argument('<worker>', WORKER)
      .option('--undo', 'give it slots again')
      .option('--force', 'also where no other worker is left that may own slots'),
    '60s',
  ).action(async (worker: string, options: OrderOptions & DrainOptions) =>
    print(await onGround(options.pipeline, (ground) => drainWorker(ground, worker, options))),
  )
