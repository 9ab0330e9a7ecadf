/** Opens the counter at which letters leave: connections and a transactional id of its own, the topic of marks. */
import { randomUUID } from 'node:crypto'
import { MillraceError } from '../../cluster/errors.ts'
import { describeTopic, ensure } from '../../cluster/kafka/admin.ts'
import { durabilityFor, wantedClusterTopic } from '../../cluster/kafka/topics.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { replayTransactionalId } from '../../cluster/protocol/names.ts'
import { type Deed, newAction } from '../../letters/marks.ts'
import type { Guard } from '../../letters/outgoing.ts'
import { Replayer } from '../../letters/replayer.ts'
import { Transport } from '../../letters/transport.ts'
import { aclsFor } from '../acls/own.ts'
import { requireAcls } from '../acls/preflight.ts'
import { withAdmins } from '../admins.ts'
import { connectTopology } from '../host.ts'
import type { Desk } from './desk.ts'

export interface Errand {
  readonly deed: Deed
  readonly who: string
  readonly what: string
  readonly selected: number
  readonly guard: Guard
}

/** From here on every earlier sender of the pipeline is fenced. */
export const withReplayer = async <T>(
  desk: Desk,
  errand: Errand,
  use: (replayer: Replayer) => Promise<T>,
): Promise<T> => {
  const { settings, name, names, marksTopic, topicId } = desk
  await requireAcls(settings, replayAcls(desk))
  await makeMarksTopic(desk)
  await using stack = new AsyncDisposableStack()
  const transactionalId = replayTransactionalId(name, settings.topicPrefix)
  const { transactionTimeout, requestTimeout } = settings
  const side = async (which: 'home' | 'input') => {
    const topology = await connectTopology(settings, which, `millrace-dlq-${process.pid}`)
    stack.defer(() => topology.connections.close())
    const options = { transactionalId, transactionTimeout, requestTimeout }
    return { topology, writer: new TransactionWriter(topology, options) }
  }
  const home = await side('home')
  // Two addresses may lead to one cluster: there the stronger promise holds.
  await Promise.all([desk.home.refresh(names.deadLetters), desk.input.refresh(names.input)])
  const isOne = desk.home.clusterId === desk.input.clusterId
  const transport = new Transport({
    home,
    inputTopic: names.input,
    marksTopic,
    ...(!isOne && { input: await side('input') }),
  })
  const { deed, who, what, selected, guard } = errand
  const action = newAction({
    id: randomUUID(),
    deed,
    who,
    what,
    at: Date.now(),
    selected,
    sent: 0,
    parked: 0,
    ended: false,
  })
  const replayer = new Replayer({
    transport,
    home: desk.home,
    input: desk.input,
    pipeline: name,
    inputTopic: names.input,
    marksTopic,
    topicId,
    action,
    guard,
    now: Date.now,
  })
  await replayer.open()
  return await use(replayer)
}

const replayAcls = ({ settings, pipeline, name }: Desk) =>
  aclsFor(settings, pipeline, name === pipeline.name ? {} : { as: name }, ['replay'])

/** As durable as the input: it is what keeps a letter from being sent twice. */
const makeMarksTopic = ({ settings, names, marksTopic }: Desk): Promise<void> =>
  withAdmins(settings, async (admins) => {
    const input = await describeTopic(admins.input, names.input)
    if (input === undefined)
      throw new MillraceError('topic-missing', `input topic ${names.input} does not exist`)
    await ensure(admins.home, [wantedClusterTopic(marksTopic, durabilityFor(input, settings))])
  })
