import { Command } from 'commander'
import {
  type Admins,
  createInput,
  describeTopics,
  ensure,
  ensureTopics,
  plannedTopics,
} from '../../cluster/kafka/admin.ts'
import { checkTopics, describeMismatch } from '../../cluster/kafka/topic-check.ts'
import {
  durabilityFor,
  type TopicDescription,
  type WantedTopic,
  wantedClusterInsights,
  wantedClusterTopic,
} from '../../cluster/kafka/topics.ts'
import { clusterTopic, type Names, namesOf, replaysTopic } from '../../cluster/protocol/names.ts'
import { withAdmins } from '../admins.ts'
import { connectedSettings } from '../connect.ts'
import { type Format, note, outputOption, printData, table } from '../output.ts'
import { namesFor, pipelineFor } from '../pipeline.ts'

interface Options {
  readonly output: Format
}

type Action = (pipeline: string | undefined, options: Options) => Promise<void>

export const topicsCommand = (): Command => {
  const command = (name: string, description: string, action: Action) =>
    new Command(name)
      .description(description)
      .argument('[pipeline]', 'shipped name or path (default: the setting MILLRACE_PIPELINE)')
      .addOption(outputOption())
      .action(action)
  return new Command('topics')
    .description('The topics of a pipeline.')
    .addCommand(
      command('create', 'Make what is missing, the input too; check and mend what is there.', create),
    )
    .addCommand(command('list', 'Show which topics belong to the pipeline.', list))
    .addCommand(
      command('describe', 'Show how the topics must be set, how they are, and what does not fit.', describe),
    )
}

const create = async (pipeline: string | undefined, { output }: Options): Promise<void> => {
  const settings = await connectedSettings(['input', 'home'])
  const { name, topics } = await pipelineFor(settings, pipeline)
  const names = namesOf(name, topics, settings.topicPrefix)
  const result = await withAdmins(settings, async (admins) => {
    const madeInput = await createInput(admins.input, names.input, settings)
    const { input, created, notes, slots } = await ensureTopics(admins, names, settings)
    const durability = durabilityFor(input, settings)
    // Made when they are first needed, by whoever may make topics then.
    const later = await ensure(admins.home, [
      wantedClusterInsights(names.clusterInsights, durability),
      wantedClusterTopic(replaysTopic(name, settings.topicPrefix), durability),
    ])
    const made = [...(madeInput ? [names.input] : []), ...created, ...later.created]
    return { slots, created: made, notes: [...notes, ...later.notes] }
  })
  for (const line of result.notes) note(`millrace: ${line}`)
  printData(output, result, () =>
    result.created.length === 0 ? 'every topic is there' : `made ${result.created.join(', ')}`,
  )
}

const rolesOf = (names: Names, cluster: string): readonly (readonly [role: string, name: string])[] => [
  ['input', names.input],
  ...(names.output === undefined ? [] : [['output', names.output] as const]),
  ['dead-letters', names.deadLetters],
  ['state', names.state],
  ['drops', names.drops],
  ['retried', names.retried],
  ['cluster', cluster],
]

const list = async (pipeline: string | undefined, { output }: Options): Promise<void> => {
  const settings = await connectedSettings(['input', 'home'])
  const names = await namesFor(settings, pipeline)
  const roles = rolesOf(names, clusterTopic(settings.topicPrefix))
  const found = await withAdmins(settings, (admins) => describeRoles(admins, roles))
  const rows = roles.map(([role, name]) => ({ role, name, ...shapeOf(found.get(name)) }))
  printData(output, rows, () =>
    table(
      ['role', 'topic', 'partitions', 'replication', 'cleanup'],
      rows.map((row) => [row.role, row.name, text(row.partitions), text(row.replication), text(row.cleanup)]),
    ),
  )
}

const describeRoles = async (admins: Admins, roles: readonly (readonly [string, string])[]) => {
  const own = roles.filter(([role]) => role !== 'input').map(([, name]) => name)
  const input = await describeTopics(
    admins.input,
    roles.filter(([role]) => role === 'input').map(([, name]) => name),
  )
  return new Map([...input, ...(await describeTopics(admins.home, own))])
}

const text = (value: string | number | null): string => (value === null ? '-' : String(value))

const shapeOf = (topic: TopicDescription | undefined) => ({
  partitions: topic?.partitions ?? null,
  replication: topic?.replication ?? null,
  cleanup: topic?.configs['cleanup.policy'] ?? null,
})

const describe = async (pipeline: string | undefined, { output }: Options): Promise<void> => {
  const settings = await connectedSettings(['input', 'home'])
  const names = await namesFor(settings, pipeline)
  const { input, slots, wanted, actual } = await withAdmins(settings, async (admins) => {
    const planned = await plannedTopics(admins, names, settings)
    const made = await describeTopics(
      admins.home,
      planned.wanted.map(({ name }) => name),
    )
    return { ...planned, actual: made }
  })
  const problems = checkTopics(actual, wanted).map(describeMismatch)
  const topics = wanted.map((topic) => compared(topic, actual.get(topic.name)))
  const { name, partitions, replication } = input
  printData(output, { slots, input: { name, partitions, replication }, topics, problems }, () =>
    [
      `${input.name}: input, ${input.partitions} partitions, ${slots} slots`,
      ...topics.map(topicText),
      ...(problems.length === 0 ? ['everything fits'] : problems),
    ].join('\n'),
  )
}

/** `null` stands for what is not there. */
const compared = (
  { role, name, partitions, configs }: WantedTopic,
  actual: TopicDescription | undefined,
) => ({
  role,
  name,
  partitions: { wanted: partitions, actual: actual?.partitions ?? null },
  configs: Object.entries(configs).map(([config, wanted]) => ({
    config,
    wanted,
    actual: actual?.configs[config] ?? null,
  })),
})

const topicText = ({ role, name, partitions, configs }: ReturnType<typeof compared>): string => {
  const rows = configs.map(({ config, wanted, actual }) => [`  ${config}`, wanted, text(actual)])
  const title = `${name}: ${role}, ${partitions.actual ?? 'no'} partitions`
  return [title, table(['  setting', 'wanted', 'is'], rows)].join('\n')
}
