/** `--echo`: a line per record that goes in, and per record and insight that comes out. */
import type { EventBus } from '../../cluster/events.ts'
import { printableText } from '../../cluster/printable.ts'
import type { Names } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { Generated } from '../generator.ts'
import { print, styled } from '../output.ts'
import { recordLine } from '../record-text.ts'
import { tail } from '../tail.ts'

export const echoIn = ({ key, value }: Generated): void =>
  print(`${styled('dim', 'in ')} ${key} ${value.toString()}`)

/** What the leader says over all slots. */
export const echoInsights = (events: EventBus): void =>
  events.on('clusterInsights', ({ messages }) => {
    for (const { key, value } of messages)
      print(`${styled('magenta', 'all')} ${printableText(`${key} ${JSON.stringify(value)}`)}`)
  })

/** Follows outputs, dead letters and insights until the signal aborts. */
export const echoOut = async (settings: Settings, names: Names, signal: AbortSignal): Promise<void> => {
  const follow = (topic: string | undefined, mark: string) =>
    topic === undefined
      ? undefined
      : tail(
          settings,
          { topic, which: 'home' },
          { from: { at: 'end' }, most: Number.POSITIVE_INFINITY, follow: true, signal },
          (record) => print(`${mark} ${recordLine(record)}`),
        )
  await Promise.all([
    follow(names.output, styled('green', 'out')),
    follow(names.deadLetters, styled('red', 'dlq')),
    follow(names.insights, styled('magenta', 'ins')),
  ])
}
