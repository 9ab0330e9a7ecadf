/** A short run with every fate in it, and ways to disturb one. */
import { type SharedServices, uniqueName } from '../support/services.ts'
import { type Became, Made } from './made.ts'
import { pipeline } from './pipeline.ts'

export const HOUR = 3_600_000

export const answer = (minute: number, kind = 'a'): Became => ({
  value: { at: HOUR + minute * 60_000, kind },
})

export const story: readonly Became[] = [
  answer(0),
  'dead',
  answer(0, 'b'),
  'drop',
  answer(1),
  { value: { at: 0, kind: 'c' }, late: ['answers_a_minute', 'kinds', 'kinds_seen', 'latest'] },
]

/** One partition on which everything went right. */
export const honest = async (services: SharedServices): Promise<Made> => {
  const made = await Made.open(services, pipeline)
  await made.work(0, await made.ask(0, story.length), story)
  return made
}

/** Somebody writes there and does not come to an end. */
export const openTransaction = async ({ kafka }: Made, topic: string) => {
  const producer = kafka.producer({
    transactionalId: uniqueName('open'),
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'mine' }] })
  return {
    end: async () => {
      await transaction.abort()
      await producer.disconnect()
    },
  }
}
