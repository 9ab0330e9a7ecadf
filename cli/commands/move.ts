import { Command } from 'commander'
import { print } from '../output.ts'
import { onGround } from '../steer/ground.ts'
import { type OrderOptions, partition, WORKER, withOrderOptions } from '../steer/options.ts'
import { moveSlot } from '../steer/place.ts'

export const moveCommand = (): Command =>
  withOrderOptions(
    new Command('move')
      .description('Order that the slot of a partition goes to a worker, once; later plans may move it on.')
      .argument(
        '<partition>',
        'its number in the input topic; the slot has perhaps others as well',
        partition,
      )
      .argument('<worker>', WORKER),
  ).action(async (wanted: number, worker: string, options: OrderOptions) =>
    print(await onGround(options.pipeline, (ground) => moveSlot(ground, wanted, worker, options.wait))),
  )
