/** `millrace pause` and its opposite, `millrace resume`. */
import { Command } from 'commander'
import { print } from '../output.ts'
import { onGround } from '../steer/ground.ts'
import { type OrderOptions, partitions, withOrderOptions } from '../steer/options.ts'
import { pausePartitions } from '../steer/pause.ts'

const act = (name: string, on: boolean, description: string): Command =>
  withOrderOptions(
    new Command(name)
      .description(description)
      .argument('<partition...>', 'their numbers in the input topic', partitions),
  ).action(async (wanted: readonly number[], options: OrderOptions) =>
    print(await onGround(options.pipeline, (ground) => pausePartitions(ground, wanted, on, options.wait))),
  )

export const pauseCommand = (): Command =>
  act(
    'pause',
    true,
    'Order that partitions are not read any more. Their position stands; what is parked of them is still retried.',
  )

export const resumeCommand = (): Command =>
  act('resume', false, 'Order that paused partitions are read again, from where they stood.')
