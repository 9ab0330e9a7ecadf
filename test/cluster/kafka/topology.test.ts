import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { CODE } from '../../../cluster/kafka/codes.ts'
import { Topology } from '../../../cluster/kafka/topology.ts'
import { metadataReply, offsetsReply, type ReplyTopic } from './replies.ts'
import { type Asked, ScriptedConnections, scripted, topicIdOf } from './scripted.ts'

const topics: readonly ReplyTopic[] = [
  { topic: 'a', topicId: topicIdOf(1), leaders: [1, 2, -1] },
  { topic: 'b', topicId: topicIdOf(2), leaders: [2] },
]
const asksFor = ({ body }: Asked, topic: string): boolean => body.includes(Buffer.from(topic))

/** Metadata that answers when told. */
const slow = () => {
  const waiting: (() => void)[] = []
  const connections = new ScriptedConnections(async (asked) => {
    await new Promise<void>((resolve) => waiting.push(resolve))
    return metadataReply(
      topics.filter(({ topic }) => asksFor(asked, topic)),
      [1],
    )
  })
  const answer = async () => {
    while (waiting.length === 0) await setImmediate()
    waiting.shift()?.()
  }
  return { connections, topology: new Topology(connections), answer }
}

describe('refreshing', () => {
  test('is joined: many who ask at once cost one request', async () => {
    const { connections, topology, answer } = slow()
    const all = Promise.all([topology.refresh('a'), topology.refresh('a'), topology.topic('a')])
    await answer()
    await answer()
    const [, , found] = await all
    expect(found.topicId).toBe(topicIdOf(1))
    // One that was under way, and one for whoever came after it had been sent.
    expect(connections.named('Metadata').length).toBeLessThanOrEqual(2)
  })

  test('who joins with a topic of his own gets it by the next request, and what was known stays known', async () => {
    const { connections, topology, answer } = slow()
    const first = topology.refresh('a')
    const second = topology.refresh('b')
    await answer()
    await first
    expect(topology.knownTopic('b')).toBeUndefined()
    await answer()
    await second
    expect(topology.knownTopic('a')).toBeDefined()
    expect(topology.known('b', 0)).toMatchObject({ leader: 2, leaderEpoch: 7 })
    expect(connections.named('Metadata')).toHaveLength(2)
  })

  test('a failure reaches all who joined, and the next one asks anew', async () => {
    let fails = true
    const connections = new ScriptedConnections(() => {
      if (fails) throw new Error('away')
      return metadataReply(topics, [1])
    })
    const topology = new Topology(connections)
    const joined = await Promise.allSettled([topology.refresh('a'), topology.refresh('a')])
    expect(joined.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    fails = false
    await topology.refresh('a')
    expect(topology.knownTopic('a')).toBeDefined()
  })

  test('a broker that does not answer is passed over', async () => {
    const connections = new ScriptedConnections(({ nodeId }) => {
      if (nodeId === 1) throw new Error('away')
      return metadataReply(topics, [1, 2])
    })
    connections.nodes = [1, 2]
    const topology = new Topology(connections)
    await topology.topic('a')
    expect(connections.asked.map(({ nodeId }) => nodeId)).toEqual([1, 2])
    for (const { timeout } of connections.asked) expect(timeout).toBeLessThanOrEqual(5000)
    await topology.refresh('a')
    expect(connections.asked.at(-1)?.nodeId).toBe(2)
    expect(connections.asked).toHaveLength(3)
  })

  test('brokers that were not known are met', async () => {
    const connections = new ScriptedConnections(() => metadataReply(topics, [1, 2]))
    await new Topology(connections).topic('a')
    expect(connections.events).toContain('refresh')
  })
})

describe('what is known', () => {
  test('a leader, and nobody where none is elected', async () => {
    const { topology } = await scripted({ topic: 'a', topicId: topicIdOf(1), leaders: [1, -1] }, () =>
      Buffer.alloc(0),
    )
    expect(topology.known('a', 0)).toMatchObject({ leader: 1 })
    expect(topology.known('a', 1)).toBeUndefined()
    expect(topology.known('a', 9)).toBeUndefined()
    expect(topology.known('never asked for', 0)).toBeUndefined()
  })

  test('a topic that is gone is forgotten, and named when asked for', async () => {
    const { topology, state } = await scripted({ topic: 'a', topicId: topicIdOf(1), leaders: [1] }, () =>
      Buffer.alloc(0),
    )
    state.topics = []
    await topology.refresh()
    expect(topology.knownTopic('a')).toBeUndefined()
    await expect(topology.topic('a')).rejects.toThrow(/topic a does not exist/)
  })

  test('a topic that may not be described is named as such', async () => {
    const { topology, state } = await scripted({ topic: 'a', topicId: topicIdOf(1), leaders: [1] }, () =>
      Buffer.alloc(0),
    )
    state.topics = [{ topic: 'b', topicId: topicIdOf(2), leaders: [], code: CODE.topicAuthorization }]
    await expect(topology.topic('b')).rejects.toThrow(/refuses to describe/)
  })
})

describe('offsets', () => {
  test('each leader is asked for its own, and again while a leader moves', async () => {
    let turn = 0
    const { topology, connections, state } = await scripted(
      { topic: 'a', topicId: topicIdOf(1), leaders: [1, 2, -1] },
      ({ nodeId }) => {
        turn++
        if (turn <= 2) return offsetsReply('a', nodeId === 1 ? [[0, 0, 10]] : [[1, CODE.notLeader, -1]])
        return offsetsReply('a', [
          [1, 0, 11],
          [2, 0, 12],
        ])
      },
    )
    connections.nodes = [1, 2]
    const found = topology.offsets('a', [0, 1, 2])
    state.topics = [{ topic: 'a', topicId: topicIdOf(1), leaders: [1, 1, 1] }]
    expect(await found).toEqual(
      new Map([
        [0, 10],
        [1, 11],
        [2, 12],
      ]),
    )
  })

  test('give up by their deadline, naming the partitions', async () => {
    const { topology } = await scripted({ topic: 'a', topicId: topicIdOf(1), leaders: [1] }, () => {
      throw new Error('away')
    })
    await expect(topology.offsets('a', [0], -2, 100)).rejects.toThrow(/no leader answers for a\/0/)
  })

  test('a topic that may not be read is named', async () => {
    const { topology } = await scripted({ topic: 'a', topicId: topicIdOf(1), leaders: [1] }, () =>
      offsetsReply('a', [[0, CODE.topicAuthorization, -1]]),
    )
    await expect(topology.offsets('a', [0])).rejects.toThrow(/refuses topic a/)
  })
})
