import { Command } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { print } from '../output.ts'
import { onGround } from '../steer/ground.ts'
import { type OrderOptions, partition, WORKER, withOrderOptions } from '../steer/options.ts'
import { pinSlot, unpinSlot } from '../steer/place.ts'

interface Options extends OrderOptions {
  readonly undo?: boolean
}

export const pinCommand = (): Command =>
  withOrderOptions(
    new Command('pin')
      .description('Order that the slot of a partition belongs to a worker for as long as it lives.')
      .argument(
        '<partition>',
        'its number in the input topic; the slot has perhaps others as well',
        partition,
      )
      .argument('[worker]', `${WORKER}; none with --undo`)
      .option('--undo', 'let plans move the slot again'),
  ).action(run)

const run = async (wanted: number, worker: string | undefined, options: Options): Promise<void> => {
  const { pipeline, wait, undo = false } = options
  if (undo !== (worker === undefined))
    throw new MillraceError('usage', undo ? '--undo takes no worker' : 'to which worker?', {
      remedy: 'give a partition and a worker, or a partition and --undo',
    })
  print(
    await onGround(pipeline, (ground) =>
      worker === undefined ? unpinSlot(ground, wanted, wait) : pinSlot(ground, wanted, worker, wait),
    ),
  )
}
