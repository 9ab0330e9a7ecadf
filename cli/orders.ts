/** Gives an order: writes it where the leader, and every later one, reads it. */
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

/** @throws MillraceError where Kafka does not take it */
export const giveOrder = async (settings: Settings, pipeline: string, act: Act): Promise<Order> => {
  await withAdmins(settings, ({ home }) => ensureClusterTopic(home, settings))
  const { topicPrefix, requestTimeout } = settings
  const topology = await connectTopology(settings, 'home')
  try {
    const writer = new TransactionWriter(topology, {
      transactionalId: ordersTransactionalId(topicPrefix),
      transactionTimeout: TRANSACTION_MS,
      requestTimeout,
    })
    return await appendOrder({ topology, topic: clusterTopic(topicPrefix) }, writer, pipeline, act)
  } finally {
    await topology.connections.close()
  }
}
