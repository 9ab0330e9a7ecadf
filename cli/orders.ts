/** Gives an order: writes it where the leader, and every later one, reads it. */
import { MillraceError } from '../cluster/errors.ts'
import { ensureClusterTopic } from '../cluster/kafka/admin.ts'
import { appendOrder } from '../cluster/kafka/orders.ts'
import { TransactionWriter } from '../cluster/kafka/writer.ts'
import { clusterTopic, ordersTransactionalId } from '../cluster/protocol/names.ts'
import type { Act, Order } from '../cluster/protocol/orders.ts'
import type { Settings } from '../cluster/settings.ts'
import { withAdmins } from './admins.ts'
import { connectTopology } from './host.ts'

/** Nobody reads past an open transaction of one who died: the broker ends it soon. */
const TRANSACTION_MS = 10_000

export const giveOrder = async (settings: Settings, pipeline: string, act: Act): Promise<Order> => {
  const [order] = await giveOrders(settings, pipeline, [act])
  if (order === undefined) throw new MillraceError('internal', 'no order was given')
  return order
}

/** One after another, each in a transaction of its own. @throws MillraceError where Kafka does not take it */
export const giveOrders = async (
  settings: Settings,
  pipeline: string,
  acts: readonly Act[],
): Promise<readonly Order[]> => {
  await withAdmins(settings, ({ home }) => ensureClusterTopic(home, settings))
  const { topicPrefix, requestTimeout } = settings
  const topology = await connectTopology(settings, 'home')
  try {
    const writer = new TransactionWriter(topology, {
      transactionalId: ordersTransactionalId(topicPrefix),
      transactionTimeout: TRANSACTION_MS,
      requestTimeout,
    })
    const where = { topology, topic: clusterTopic(topicPrefix) }
    const given: Order[] = []
    for (const act of acts) given.push(await appendOrder(where, writer, pipeline, act))
    return given
  } finally {
    await topology.connections.close()
  }
}
