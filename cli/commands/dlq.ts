/** `millrace dlq`: what became dead letters, and what can still become of them. */
import { Command, Option } from 'commander'
import { rate, wholeNumber } from '../arguments.ts'
import { exportLetters } from '../dlq/export.ts'
import { type FollowOptions, follow } from '../dlq/follow.ts'
import { groups, list, log, show } from '../dlq/look.ts'
import { repeated, withPipeline, withSelection } from '../dlq/options.ts'
import { type RepairOptions, repair, replay } from '../dlq/send-back.ts'
import { outputOption } from '../output.ts'

const ROUNDS = 3

const all = () => new Option('--all', 'those that are settled too: sent again or parked')
const raw = () => new Option('--raw', 'show personal data')

const listCommand = (): Command =>
  withSelection(new Command('list'))
    .description('Show letters, the newest first: those that are open.')
    .option('-n, --number <count>', 'so many at most', wholeNumber, 50)
    .option('--oldest', 'the oldest first')
    .addOption(all())
    .addOption(raw())
    .addOption(outputOption())
    .action(list)

const showCommand = (): Command =>
  withPipeline(new Command('show').argument('<letter>', 'topic/partition/offset of it, or of its origin'))
    .description('Show one letter, masked.')
    .addOption(raw())
    .addOption(outputOption())
    .action(show)

const groupsCommand = (): Command =>
  withSelection(new Command('groups'))
    .description(
      'Show the open letters as problems: by code and field, with an example and what would mend it.',
    )
    .addOption(all())
    .addOption(raw())
    .addOption(outputOption())
    .action(groups)

const exportCommand = (): Command =>
  withSelection(new Command('export'))
    .description('Write letters as lines of JSON, whole and UNMASKED; bytes that are no text as base64.')
    .option('--file <path>', 'into that new file (default: stdout)')
    .addOption(all())
    .action(exportLetters)

/** What repair and replay have in common. */
const sending = (command: Command): Command =>
  withSelection(command)
    .option('--rate <n>', 'records a second; 0: as fast as Kafka takes them', rate, 0)
    .option('--limit <n>', 'so many at most, the oldest', wholeNumber)
    .option('--max-replays <n>', 'a record that was sent again so often stays', wholeNumber, ROUNDS)
    .option('--force', 'send letters again that are settled')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'send nothing')
    .option('--as-user <name>', 'who does this, for `millrace dlq log` (default: user@host)')
    .addOption(outputOption())

const repairCommand = (): Command =>
  sending(new Command('repair'))
    .description(
      'Mend letters, try them on the pipeline, and send those that pass back into its input. Without rules the pipeline mends them itself.',
    )
    .addOption(
      repeated('--default <field=value>', 'fill in a field that is absent; the value is JSON or a text'),
    )
    .addOption(repeated('--set <field=value>', 'set a field in any case'))
    .option('--follow', 'go on with letters as they come, until Ctrl-C; asks nothing')
    .option('--park <file>', 'with --follow: where letters go that cannot be mended, as lines of JSON')
    .option(
      '--rounds <n>',
      'with --follow: a record that was sent again so often is parked',
      wholeNumber,
      ROUNDS,
    )
    .action((pipeline: string | undefined, options: FollowOptions & { readonly follow?: boolean }) =>
      options.follow === true ? follow(pipeline, options) : repair(pipeline, options satisfies RepairOptions),
    )

const replayCommand = (): Command =>
  sending(new Command('replay'))
    .description('Send letters back into the input as they are, each once, in the order of their keys.')
    .action(replay)

const logCommand = (): Command =>
  withPipeline(new Command('log'))
    .description('Show who replayed, repaired or parked how many letters.')
    .addOption(outputOption())
    .action(log)

export const dlqCommand = (): Command =>
  new Command('dlq')
    .description('Look at dead letters, mend them, send them again.')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(groupsCommand())
    .addCommand(repairCommand())
    .addCommand(replayCommand())
    .addCommand(exportCommand())
    .addCommand(logCommand())
