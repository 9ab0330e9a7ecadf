/** `millrace acls`: the rights on Kafka that a pipeline needs, for whoever grants them. Nothing is connected to. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { readSettings } from '../../cluster/settings.ts'
import { aclsFor } from '../acls/own.ts'
import { type PartName, parts } from '../acls/table.ts'
import { aclCommands, aclTable } from '../acls/text.ts'
import { print } from '../output.ts'
import { pipelineFor } from '../pipeline.ts'
import { INDEX } from './sink.ts'

interface Options {
  readonly for: readonly PartName[]
  readonly as?: string
  readonly index: string
  readonly principal: string
  readonly output: 'text' | 'commands' | 'json'
}

export const aclsCommand = (): Command =>
  new Command('acls')
    .description('Print the least rights (ACLs) on Kafka that a pipeline needs, part by part.')
    .argument('[pipeline]', 'shipped name or path (default: the setting MILLRACE_PIPELINE)')
    .option('--for <parts>', `of these, separated by commas: ${parts.join(', ')}`, partsIn, [
      'worker',
      'coordinator',
    ])
    .option('--as <name>', 'the name under which it is run')
    .option('--index <name>', 'index of the sink', INDEX)
    .option('--principal <name>', 'to whom `commands` grants them', 'User:millrace')
    .addOption(
      new Option('-o, --output <format>', 'a table, calls of `kafka-acls`, or JSON')
        .choices(['text', 'commands', 'json'])
        .default('text'),
    )
    .action(run)

const partsIn = (text: string): readonly PartName[] =>
  text.split(',').map((word) => {
    const found = parts.find((part) => part === word.trim())
    if (found === undefined) throw new InvalidArgumentError(`Expected some of ${parts.join(', ')}.`)
    return found
  })

const run = async (named: string | undefined, options: Options): Promise<void> => {
  const settings = readSettings(process.env)
  const acls = aclsFor(settings, await pipelineFor(settings, named), options, options.for)
  const { kafkaBrokers: input, homeBrokers } = settings
  const brokers = { input, home: homeBrokers.length > 0 ? homeBrokers : input }
  if (options.output === 'json') print(JSON.stringify(acls, undefined, 2))
  else if (options.output === 'text') print(aclTable(acls))
  else for (const line of aclCommands(acls, { principal: options.principal, brokers })) print(line)
}
