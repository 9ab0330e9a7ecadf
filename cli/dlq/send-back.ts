/** `millrace dlq repair` and `replay`: look, ask, send. */
import { createInterface } from 'node:readline/promises'
import { MillraceError } from '../../cluster/errors.ts'
import type { EventBus, LetterSent } from '../../cluster/events.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { canMend } from '../../letters/mend.ts'
import { type Held, type Outgoing, outgoing } from '../../letters/outgoing.ts'
import type { Replayer } from '../../letters/replayer.ts'
import { parseRule, type Rule, rulesText } from '../../letters/rules.ts'
import { selectionText } from '../../letters/selection.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { count, type Format, note, printData } from '../output.ts'
import { dueNow, type Pace, waitFor } from '../pace.ts'
import { ProgressPrinter } from '../progress.ts'
import { withReplayer } from './counter.ts'
import { collectLetters, type Desk, isWanted, withDesk } from './desk.ts'
import { type SelectionOptions, selectionOf, whoIs } from './options.ts'
import { type Plan, planFor } from './plan.ts'
import { changesText, heldText, planText } from './plan-text.ts'
import { lettersText } from './text.ts'
import { menderFor } from './validator.ts'

export interface SendOptions extends SelectionOptions {
  readonly rate: number
  readonly limit?: number
  readonly maxReplays: number
  readonly force?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly asUser?: string
  readonly output: Format
}

export interface RepairOptions extends SendOptions {
  readonly default: readonly string[]
  readonly set: readonly string[]
}

/** @throws MillraceError `usage` */
export const rulesFor = (
  pipeline: AnyPipeline,
  options: Pick<RepairOptions, 'default' | 'set'>,
): readonly Rule[] => {
  const rules = [
    ...options.default.map((text) => parseRule('default', text, pipeline)),
    ...options.set.map((text) => parseRule('set', text, pipeline)),
  ]
  if (canMend(pipeline, rules)) return rules
  throw new MillraceError('usage', `pipeline ${pipeline.name} has no repair of its own`, {
    remedy: 'give --default field=value or --set field=value',
  })
}

export const replay = (named: string | undefined, options: SendOptions): Promise<void> =>
  withDesk(named, options, (desk) => sendBack(desk, options))

export const repair = (named: string | undefined, options: RepairOptions): Promise<void> =>
  withDesk(named, options, (desk) => sendBack(desk, options, rulesFor(desk.pipeline, options)))

/** @param rules of a repair; absent: letters go as they are */
const sendBack = async (desk: Desk, options: SendOptions, rules?: readonly Rule[]): Promise<void> => {
  const { pipeline, settings, signal } = desk
  const selection = selectionOf(options)
  const guard = { maxReplays: options.maxReplays, force: options.force === true }
  const found = await collectLetters(desk, (letter) => isWanted(desk, selection, letter, guard.force))
  const letters = options.limit === undefined ? found.letters : oldest(found.letters, options.limit)
  const mender = rules && (await menderFor(pipeline, { settings, rules, signal }))
  const plan = await planFor(desk, letters, { guard, ...(mender && { mender }) })
  const { beyond } = found
  note(planText(desk, plan, { selected: letters.length, beyond, ...(rules && { rules }) }))
  for (const line of changesText(plan)) note(line)
  const planned = plan.planned.length
  if (signal.aborted) note('interrupted: nothing is sent')
  const wanted = planned > 0 && options.dryRun !== true && !signal.aborted
  const goes = wanted && (await agreed(desk, planned, options))
  const what = [selectionText(selection), rules === undefined ? '' : rulesText(rules)].join(' ').trim()
  const deed = rules === undefined ? 'replay' : 'repair'
  const errand = { deed, who: whoIs(options.asUser), what, selected: letters.length, guard } as const
  const by = rules && rulesText(rules)
  const sent = goes
    ? await withReplayer(desk, errand, async (replayer) => {
        const done = await sendPlan(desk, plan, { replayer, rate: options.rate, by })
        await replayer.end(errand.selected)
        return done
      })
    : { sent: 0, held: new Map<Held, number>() }
  report(desk, options, { plan, sent, selected: letters.length, beyond })
}

const oldest = (letters: Parameters<typeof planFor>[1], most: number) =>
  letters.toSorted((a, b) => a.at - b.at || a.place.offset - b.place.offset).slice(0, most)

/** Asks where somebody can answer. */
const agreed = async (desk: Desk, planned: number, options: SendOptions): Promise<boolean> => {
  if (options.yes === true) return true
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new MillraceError('usage', 'nobody can be asked here', {
      remedy: 'add --yes to send, or --dry-run to look only',
    })
  const dialog = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const { signal } = desk
    const question = `send ${lettersText(planned)} to ${desk.names.input}? [y/N] `
    return /^y(es)?$/i.test((await dialog.question(question, { signal })).trim())
  } catch (error) {
    // Ctrl-C, which a dialog takes for itself, or a signal: neither is a yes.
    if (error instanceof Error && error.name === 'AbortError') return false
    throw error
  } finally {
    dialog.close()
  }
}

interface SendPlan {
  readonly replayer: Replayer
  /** Records a second; 0 is without limit. */
  readonly rate: number
  /** What mended them. */
  readonly by: string | undefined
}

interface Sent {
  readonly sent: number
  /** What stood in the way since the plan was made. */
  readonly held: ReadonlyMap<Held, number>
}

export const sendPlan = async (desk: Desk, plan: Plan, { replayer, rate, by }: SendPlan): Promise<Sent> => {
  const held = new Map<Held, number>()
  const hold = (why: Held) => held.set(why, (held.get(why) ?? 0) + 1)
  const { length: partitions } = (await desk.input.topic(desk.names.input)).partitions
  const queue = plan.planned.flatMap(({ letter, value }): Outgoing[] => {
    const why = replayer.held(letter)
    if (why !== undefined) {
      hold(why)
      return []
    }
    const mended = value && by !== undefined ? { value, by } : undefined
    return [outgoing(letter, { partitions, now: Date.now() }, mended)]
  })
  const before = replayer.action.sent
  await sendQueue(desk, queue, { replayer, rate, by, hold })
  return { sent: replayer.action.sent - before, held }
}

const sendQueue = async (
  { signal, names, events }: Desk,
  queue: readonly Outgoing[],
  { replayer, rate, by, hold }: SendPlan & { readonly hold: (why: Held) => unknown },
): Promise<void> => {
  const printer = new ProgressPrinter(`-> ${names.input}`)
  const pace: Pace = { rate, count: queue.length, most: queue.length }
  const started = performance.now()
  for (let done = 0; done < queue.length && !signal.aborted; ) {
    const elapsed = performance.now() - started
    const due = dueNow(pace, done, elapsed)
    if (due === 0) await pause(waitFor(pace, done, elapsed), signal)
    else {
      const begun = performance.now()
      const taken = await replayer.sendSome(queue.slice(done, done + due))
      // Which of them were held is not told: then none is.
      if (taken.held.length === 0)
        tellSent(events, queue.slice(done, done + taken.taken), { by, begun, ended: performance.now() })
      for (const why of taken.held) hold(why)
      done += taken.taken
    }
    printer.show({ done, total: queue.length, elapsed: performance.now() - started })
  }
  printer.clear()
}

const tellSent = (
  events: EventBus,
  sent: readonly Outgoing[],
  how: Pick<LetterSent, 'by' | 'begun' | 'ended'>,
): void => {
  for (const { letter, trace } of sent)
    if (trace !== undefined) events.emit('letterSent', { ...letter.place, ...how, trace })
}

const report = (
  { names, name }: Desk,
  options: SendOptions,
  { plan, sent, selected, beyond }: { plan: Plan; sent: Sent; selected: number; beyond: number },
): void => {
  const held = new Map([...plan.held, ...sent.held].map(([why]) => [why, sum(why, plan.held, sent.held)]))
  const data = {
    pipeline: name,
    topic: names.input,
    dryRun: options.dryRun === true,
    selected,
    planned: plan.planned.length,
    sent: sent.sent,
    sound: plan.sound,
    failing: Object.fromEntries(plan.failing),
    held: Object.fromEntries(held),
    beyond,
  }
  printData(options.output, data, () =>
    data.dryRun
      ? 'nothing is sent: this was a dry run'
      : [`sent ${count(sent.sent)} of ${lettersText(selected)} to ${names.input}`, ...heldText(held)].join(
          '\n',
        ),
  )
}

const sum = (why: Held, ...maps: readonly ReadonlyMap<Held, number>[]): number =>
  maps.reduce((total, map) => total + (map.get(why) ?? 0), 0)
