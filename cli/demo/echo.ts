/** `--echo`: a line per record that goes in and per record that comes out. */
import type { Names } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { Generated } from '../generator.ts'
import { print, styled } from '../output.ts'
import { recordLine } from '../record-text.ts'
import { tail } from '../tail.ts'

export const echoIn = ({ key, value }: Generated): void =>
  print(`${styled('dim', 'in ')} ${key} ${value.toString()}`)

/** Follows outputs and dead letters until the signal aborts. */
export const echoOut = async (settings: Settings, names: Names, signal: AbortSignal): Promise<void> => {
  const follow = (topic: string, mark: string) =>
    tail(
      settings,
      { topic, which: 'home' },
      { from: { at: 'end' }, most: Number.POSITIVE_INFINITY, follow: true, signal },
      (record) => print(`${mark} ${recordLine(record)}`),
    )
  const outputs = names.output === undefined ? [] : [follow(names.output, styled('green', 'out'))]
  await Promise.all([...outputs, follow(names.deadLetters, styled('red', 'dlq'))])
}
