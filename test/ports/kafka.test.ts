import { expect, test } from 'vitest'
import { uniqueName } from '../support/services.ts'
import { realWorld } from './real.ts'
import { part } from './records.ts'
import { conformance } from './suite.ts'

conformance('real Kafka', () => realWorld())

test('where the reply to EndTxn was lost the next transaction has another epoch: the first one, if late, ends nothing of it', async () => {
  const world = await realWorld()
  try {
    const topic = uniqueName('epochs')
    await world.makeTopic(topic)
    const writer = await world.writer(topic)
    await writer.fence()
    const committed = async (value: string) =>
      expect(await writer.transact([part(topic, 0, value)])).toMatchObject({ result: 'committed' })
    const opened = world.seen('init')
    const lost = world.loseReply('end')
    await committed('first')
    await lost
    expect(world.seen('init')).toBe(opened)
    await committed('second')
    expect(world.seen('init')).toBe(opened + 1)
    await committed('third')
    expect(world.seen('init')).toBe(opened + 1)
  } finally {
    await world.close()
  }
})
