/** `millrace dlq repair --follow`: mends letters as they come, parks what it cannot mend. What is done with stands in the marks, so it may be killed and started again. */
import { MillraceError } from '../../cluster/errors.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { Mender } from '../../letters/mend.ts'
import type { Replayer } from '../../letters/replayer.ts'
import { rulesText } from '../../letters/rules.ts'
import { selects } from '../../letters/selection.ts'
import { count, note, printData } from '../output.ts'
import { withReplayer } from './counter.ts'
import { collectLetters, type Desk, withDesk } from './desk.ts'
import { selectionOf, whoIs } from './options.ts'
import { ParkFile } from './park.ts'
import { planFor } from './plan.ts'
import { type RepairOptions, rulesFor, sendPlan } from './send-back.ts'
import { menderFor } from './validator.ts'

export interface FollowOptions extends RepairOptions {
  readonly park?: string
  readonly rounds: number
}

const LOOK_MS = 500

interface Follower {
  readonly desk: Desk
  readonly replayer: Replayer
  readonly mender: Mender
  readonly park: ParkFile
  readonly options: FollowOptions
  readonly by: string
}

export const follow = (named: string | undefined, options: FollowOptions): Promise<void> =>
  withDesk(named, options, async (desk) => {
    if (options.park === undefined)
      throw new MillraceError('usage', '--follow needs --park: what cannot be mended goes there', {
        remedy: 'add --park <file>',
      })
    const { pipeline, name, settings, signal } = desk
    const rules = rulesFor(pipeline, options)
    const mender = await menderFor(pipeline, { settings, rules, signal })
    await using park = await ParkFile.open(options.park, desk.topicId)
    const by = rulesText(rules)
    const guard = { maxReplays: options.rounds, force: false }
    const what = `--follow ${by}`
    const errand = { deed: 'repair', who: whoIs(options.asUser), what, selected: 0, guard } as const
    await withReplayer(desk, errand, async (replayer) => {
      note(`following ${desk.source.topic}; Ctrl-C ends`)
      const seen = await followUntilInterrupted({ desk, replayer, mender, park, options, by })
      await replayer.end(seen)
      const { sent, parked } = replayer.action
      const data = { pipeline: name, seen, sent, parked, park: options.park }
      printData(options.output, data, () => `${count(sent)} sent, ${count(parked)} parked in ${options.park}`)
    })
  })

/** @returns how many letters it has seen */
const followUntilInterrupted = async (follower: Follower): Promise<number> => {
  const { desk, replayer, options } = follower
  const selection = selectionOf(options)
  let from: ReadonlyMap<number, number> | undefined
  let seen = 0
  while (!desk.signal.aborted) {
    const found = await collectLetters(
      desk,
      (letter) => selects(selection, letter) && replayer.held(letter) !== 'settled',
      from,
    )
    if (desk.signal.aborted) break
    seen += found.letters.length
    if (found.letters.length > 0) await take(follower, found.letters)
    if (found.beyond > 0) continue
    from = found.next
    await pause(LOOK_MS, desk.signal)
  }
  return seen
}

const take = async (
  { desk, replayer, mender, park, options, by }: Follower,
  letters: Parameters<typeof planFor>[1],
): Promise<void> => {
  const guard = { maxReplays: options.rounds, force: false }
  const plan = await planFor(desk, letters, { guard, mender, takesSound: true })
  const { sent, held } = await sendPlan(desk, plan, { replayer, rate: options.rate, by })
  const left = plan.left.filter(({ letter }) => replayer.held(letter) !== 'settled')
  await park.add(left)
  await replayer.park(left.map(({ letter }) => letter))
  const stay = [...held.values()].reduce((sum, many) => sum + many, 0)
  note(
    `${count(sent)} mended and sent, ${count(left.length)} parked${stay > 0 ? `, ${count(stay)} stay` : ''}`,
  )
}
