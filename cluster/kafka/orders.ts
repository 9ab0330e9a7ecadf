/**
 * Writing an order: under a transactional id of its own, so that of two at one moment the later fences the earlier, and no two
 * orders have one epoch.
 */
import { randomUUID } from 'node:crypto'
import { MillraceError } from '../errors.ts'
import { PROTOCOL } from '../protocol/negotiation.ts'
import { type Act, type Order, orderKey } from '../protocol/orders.ts'
import { newestOrderEpoch, type PlanTopic, partOf } from './plan-log.ts'
import type { Opened, TransactResult, Writer } from './ports.ts'

type Failed = Exclude<Opened | TransactResult, { readonly result: 'open' | 'committed' }>

/** @throws MillraceError `fenced` where another order was given at this moment; `kafka-auth`, `kafka-unreachable` */
export const appendOrder = async (
  where: Pick<PlanTopic, 'topology' | 'topic'>,
  writer: Writer,
  pipeline: string,
  act: Act,
): Promise<Order> => {
  const opened = await writer.fence()
  if (opened.result !== 'open') throw failure(where.topic, opened)
  const epoch = (await newestOrderEpoch(where)) + 1
  // Whoever leads and works may be of an older build.
  const order = { version: PROTOCOL.oldest, pipeline, epoch, id: randomUUID(), act }
  const written = await writer.transact([partOf(where.topic, orderKey(order), order)])
  if (written.result !== 'committed') throw failure(where.topic, written)
  return order
}

const failure = (topic: string, failed: Failed): MillraceError => {
  if (failed.result === 'fenced')
    return new MillraceError('fenced', 'another order was given at this moment', {
      remedy: 'look at `millrace status`, and give it again where it does not stand there',
    })
  if (failed.result === 'unclear')
    return new MillraceError(
      'kafka-unreachable',
      `whether the order was written is not known: ${failed.reason}`,
      {
        remedy: 'look at `millrace status`; giving it again does no harm',
      },
    )
  return new MillraceError('kafka-auth', `Kafka refuses to write ${topic}: ${failed.detail}`, {
    remedy: '`millrace acls` prints the rights that orders need',
  })
}
