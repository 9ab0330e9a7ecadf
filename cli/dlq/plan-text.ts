/** What a repair or a replay would do, in a few lines. */
import { formatOrigin } from '../../cluster/protocol/headers.ts'
import type { Held } from '../../letters/outgoing.ts'
import type { Rule } from '../../letters/rules.ts'
import { count } from '../output.ts'
import type { Desk } from './desk.ts'
import type { Plan } from './plan.ts'
import { lettersText } from './text.ts'

interface Around {
  readonly selected: number
  readonly beyond: number
  readonly rules?: readonly Rule[]
}

export const planText = (desk: Desk, plan: Plan, around: Around): string => {
  const { selected, beyond, rules } = around
  const { topic } = desk.source
  if (selected === 0) return `no open letter of ${topic} is selected`
  const parts = [
    `${lettersText(selected)} of ${topic}`,
    `${count(plan.planned.length)} ${rules === undefined ? 'to send' : 'mended'}`,
    ...[...plan.failing].map(([code, many]) => `${count(many)} still failing (${code})`),
    ...(plan.sound > 0 && rules !== undefined
      ? [`${count(plan.sound)} need no repair (\`millrace dlq replay\` sends them)`]
      : []),
    ...heldText(plan.held),
    ...(beyond > 0 ? [`${count(beyond)} more for another run`] : []),
  ]
  const line = `${parts[0]}: ${parts.slice(1).join(', ')}`
  return rules === undefined ? line : `${line}${inVain(plan, selected)}`
}

/** Why no rule helped. */
const inVain = (plan: Plan, selected: number): string => {
  if (plan.planned.length > 0 || plan.failing.size === 0) return ''
  if (plan.changedInVain === 0) return `; no rule changes any of the ${count(selected)}: nothing is sent`
  return `; the schema or the pipeline refuses what the rules make of them: nothing is sent`
}

const reasons: Readonly<Record<Held, string>> = {
  settled: 'were sent or parked before',
  unproven: 'may have been sent, the input no longer tells (--force sends them)',
  looping: 'came back too often (--max-replays)',
  unreadable: 'have no record that could be sent',
  gone: 'were too large for a letter, and the input no longer holds them',
  refused: 'are refused by Kafka',
}

export const heldText = (held: ReadonlyMap<Held, number>): readonly string[] =>
  [...held].map(([why, many]) => `${count(many)} ${reasons[why]}`)

export const changesText = ({ changes }: Plan): readonly string[] =>
  changes.flatMap(({ letter, fields }) => [
    `  ${formatOrigin(letter.place)} (${letter.code})`,
    ...fields.map(([field, before, after]) => `    ${field}: ${shown(before)} -> ${shown(after)}`),
  ])

const shown = (value: unknown): string => (value === undefined ? '(absent)' : JSON.stringify(value))
