import { aclsOf, partSummaries, parts } from '../../cli/acls/table.ts'
import { aclCommands, cellsOf, HEAD } from '../../cli/acls/text.ts'
import { INDEX } from '../../cli/commands/sink.ts'
import { namesOf, sinkNamesOf } from '../../cluster/protocol/names.ts'
import { madeFrom, markdownTable } from './markdown.ts'

/** As a reader finds them: a pipeline `user-login` with everything that a pipeline may have. */
const topics = {
  input: 'user-login',
  output: 'processed-user-login',
  deadLetters: 'user-login-dlq',
  insights: 'insights',
}
const of = {
  pipeline: 'user-login',
  names: namesOf('user-login', topics),
  prefix: '',
  sink: sinkNamesOf(topics.output, INDEX),
  fromGroup: 'old-group',
}
const brokers = { input: [], home: [] }

const section = (part: (typeof parts)[number]): string =>
  `## ${part}

${partSummaries[part]}

${markdownTable(
  HEAD,
  aclsOf(of, [part]).map((acl) => cellsOf(acl).map((cell, column) => (column === 2 ? `\`${cell}\`` : cell))),
)}
`

export const kafkaAclsPage = (): string =>
  `${madeFrom('cli/acls/table.ts')}
# Rights on Kafka

The least list of ACLs by part, for a pipeline \`user-login\` whose topics are there. Your own, with prefix and names as set:

\`\`\`bash
npx millrace acls user-login --for worker,coordinator
npx millrace acls user-login --for worker -o commands --principal User:worker
npx millrace acls user-login --for audit,dlq,replay -o json
\`\`\`

- Each part may be a user of its own; what two parts need of one user is granted once.
- A name that ends in \`*\` is a prefix (\`--resource-pattern-type prefixed\`).
- \`home\` and \`input\` are one cluster unless \`MILLRACE_HOME_BROKERS\` is set. Both take the same login, so the user must exist in both.
- \`Read\`, \`Write\` and \`Alter\` include \`Describe\`, \`AlterConfigs\` includes \`DescribeConfigs\`. Nothing here needs a right on the cluster.
- Topics are made once by whoever has the rights of \`topics\`: \`npx millrace topics create\`. The old group and the insights topic stand here for pipelines that have them
  (\`MILLRACE_FROM_GROUP\`, \`insights\`).
- \`npx millrace tail <topic>\` needs \`Read\` on that topic.
- A worker, a coordinator, an audit and \`dlq\` look at the start whether they may, and end with exit code 4 and all that is missing in one line.

As calls of Kafka's own tool, for a worker and a coordinator as one user:

\`\`\`text
${aclCommands(aclsOf({ ...of, fromGroup: undefined }, ['worker', 'coordinator']), { principal: 'User:millrace', brokers }).join('\n')}
\`\`\`

${parts.map(section).join('\n')}`
