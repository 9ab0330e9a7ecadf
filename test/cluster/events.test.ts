import { once } from 'node:events'
import { expect, test } from 'vitest'
import { EventBus, guarded } from '../../cluster/events.ts'

test('a fault of who only watches is told as a warning, and whoever comes behind it still hears', async () => {
  const events = new EventBus()
  const heard: number[] = []
  guarded(events, 'telemetry').on('fenced', () => {
    throw new Error('no room')
  })
  events.on('fenced', ({ code }) => heard.push(code))
  const warned = once(process, 'warning')
  expect(() => events.emit('fenced', { slot: 0, code: 47 })).not.toThrow()
  expect(heard).toEqual([47])
  const [warning] = (await warned) as [Error]
  expect(warning.message).toBe('telemetry: no room')
})
