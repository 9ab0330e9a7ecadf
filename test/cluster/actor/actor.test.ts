import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { spawn } from '../../../cluster/actor/actor.ts'

describe('an actor', () => {
  test('handles messages one at a time, in the order they were told', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 3000 }), async (slow) => {
        const seen: number[] = []
        let inHand = 0
        const actor = spawn<number>({
          name: 'order',
          receive: (message) => {
            inHand += 1
            expect(inHand).toBe(1)
            seen.push(message)
            if (!slow[message]) {
              inHand -= 1
              return
            }
            return Promise.resolve().then(() => {
              inHand -= 1
            })
          },
        })
        for (const index of slow.keys()) actor.tell(index)
        while (seen.length < slow.length) await setImmediate()
        await actor.stop()
        expect(seen).toEqual([...slow.keys()])
      }),
      { numRuns: 30 },
    )
  })

  test('a message told while one is in hand waits for its turn', async () => {
    const seen: string[] = []
    const gate = Promise.withResolvers<void>()
    const actor = spawn<string>({
      name: 'gate',
      receive: async (message) => {
        seen.push(`${message} begins`)
        if (message === 'first') await gate.promise
        seen.push(`${message} ends`)
      },
    })
    actor.tell('first')
    actor.tell('second')
    await setImmediate()
    expect(seen).toEqual(['first begins'])
    gate.resolve()
    await setImmediate()
    expect(seen).toEqual(['first begins', 'first ends', 'second begins', 'second ends'])
  })

  test.each([
    [
      'at once',
      () => {
        throw new Error('boom')
      },
    ],
    [
      'later',
      async () => {
        throw new Error('boom')
      },
    ],
  ])('an exception thrown %s ends it and reaches the parent', async (_, receive) => {
    const failures: unknown[] = []
    let cleaned = 0
    const actor = spawn<string>({
      name: 'boom',
      receive,
      onStop: () => {
        cleaned += 1
      },
      onFailure: (error) => failures.push(error),
    })
    actor.tell('a')
    actor.tell('never handled')
    expect(await actor.stopped).toEqual({ why: 'failed', error: new Error('boom') })
    expect(failures).toEqual([new Error('boom')])
    expect(cleaned).toBe(1)
  })

  test('without a parent a failure is still no unhandled rejection', async () => {
    const actor = spawn<string>({ name: 'alone', receive: () => Promise.reject(new Error('boom')) })
    actor.tell('a')
    expect((await actor.stopped).why).toBe('failed')
  })

  test('a failing clean-up is a failure too', async () => {
    const actor = spawn<string>({
      name: 'unclean',
      receive: () => {},
      onStop: () => {
        throw new Error('stuck')
      },
    })
    await actor.stop()
    expect(await actor.stopped).toEqual({ why: 'failed', error: new Error('stuck') })
  })

  test('stop ends after the message in hand and handles no other', async () => {
    const seen: string[] = []
    const gate = Promise.withResolvers<void>()
    const actor = spawn<string>({
      name: 'stop',
      receive: async (message) => {
        await gate.promise
        seen.push(message)
      },
    })
    actor.tell('in hand')
    actor.tell('waiting')
    await setImmediate()
    const stopped = actor.stop()
    gate.resolve()
    await stopped
    actor.tell('too late')
    await setImmediate()
    expect(seen).toEqual(['in hand'])
  })

  test('may be stopped by many, at any time, with one clean-up', async () => {
    let cleaned = 0
    const actor = spawn<string>({
      name: 'many',
      receive: () => {},
      onStop: () => {
        cleaned += 1
      },
    })
    await Promise.all([actor.stop(), actor.stop()])
    await actor.stop()
    expect(cleaned).toBe(1)
  })

  test('ask brings the answer', async () => {
    const actor = spawn<{ n: number; reply: (value: number) => void }>({
      name: 'double',
      receive: (message) => message.reply(message.n * 2),
    })
    expect(await actor.ask<number>((reply) => ({ n: 21, reply }), 1000)).toBe(42)
  })

  test('ask gives up at its deadline, at the end of the actor, and after it', async () => {
    const actor = spawn<(value: number) => void>({ name: 'mute', receive: () => {} })
    await expect(actor.ask<number>((reply) => reply, 5)).rejects.toThrow('mute did not answer within 5 ms')
    const waiting = actor.ask<number>((reply) => reply, 60_000)
    const refused = expect(waiting).rejects.toThrow('mute ended before it answered')
    await actor.stop()
    await refused
    await expect(actor.ask<number>((reply) => reply, 60_000)).rejects.toThrow('mute ended')
  })
})
