/** What a repair or a replay would do, letter by letter, before anything is sent. */
import type { Letter } from '../../letters/letter.ts'
import { completed } from '../../letters/logs.ts'
import { changedFields, type Mended, type Mender } from '../../letters/mend.ts'
import { type Guard, type Held, heldBack, inOrder } from '../../letters/outgoing.ts'
import { maskedFields } from '../../letters/preview.ts'
import type { JsonObject } from '../../pipelines/api/define.ts'
import { ProgressPrinter } from '../progress.ts'
import type { Desk } from './desk.ts'

export interface Planned {
  readonly letter: Letter
  /** Its value in place of the letter's. */
  readonly value?: Buffer
}

/** Masked. */
export interface Change {
  readonly letter: Letter
  readonly fields: readonly (readonly [field: string, before: unknown, after: unknown])[]
}

export interface Plan {
  /** In the order in which they go. */
  readonly planned: readonly Planned[]
  readonly held: ReadonlyMap<Held, number>
  /** Those that would fail again, by their code then. */
  readonly failing: ReadonlyMap<string, number>
  /** How many of these a rule has changed all the same. */
  readonly changedInVain: number
  /** Nothing to mend: they would pass as they are. */
  readonly sound: number
  /** A few. */
  readonly changes: readonly Change[]
  /** Those that stay, for whoever takes care of them. */
  readonly left: readonly { readonly letter: Letter; readonly why: string }[]
}

const MOST_SHOWN = 3

export interface PlanOptions {
  readonly guard: Guard
  /** Absent: letters go as they are. */
  readonly mender?: Mender
  /** A mender without rules that lets sound letters go as well. */
  readonly takesSound?: boolean
}

export const planFor = async (
  desk: Desk,
  letters: readonly Letter[],
  { guard, mender, takesSound = false }: PlanOptions,
): Promise<Plan> => {
  const sheet = new Sheet(desk)
  const printer = new ProgressPrinter('checking')
  const started = performance.now()
  for (const [index, letter] of inOrder(letters).entries()) {
    if (desk.signal.aborted) break
    // An intent without an end is looked up by whoever sends.
    const mark = desk.marks.of(letter.place)
    const held = heldBack(letter, mark?.state === 'done' ? mark : undefined, guard)
    const whole = held === undefined ? await completed(desk.input, letter) : undefined
    const again = whole && heldBack(whole, undefined, { ...guard, force: true })
    if (held !== undefined || again !== undefined) sheet.hold(letter, held ?? again ?? 'gone')
    else if (whole === undefined) sheet.hold(letter, 'gone')
    else if (mender === undefined) sheet.send({ letter: whole })
    else sheet.take(whole, await mender.mend(whole), takesSound)
    printer.show({ done: index + 1, total: letters.length, elapsed: performance.now() - started })
  }
  printer.clear()
  return sheet
}

class Sheet implements Plan {
  readonly planned: Planned[] = []
  readonly held = new Map<Held, number>()
  readonly failing = new Map<string, number>()
  readonly changes: Change[] = []
  readonly left: { readonly letter: Letter; readonly why: string }[] = []
  changedInVain = 0
  sound = 0
  readonly #desk: Desk

  constructor(desk: Desk) {
    this.#desk = desk
  }

  hold(letter: Letter, why: Held): void {
    this.held.set(why, (this.held.get(why) ?? 0) + 1)
    this.left.push({ letter, why })
  }

  send(planned: Planned): void {
    this.planned.push(planned)
  }

  take(letter: Letter, mended: Mended, takesSound: boolean): void {
    if (mended.result === 'mended') {
      this.send({ letter, value: mended.value })
      if (this.changes.length < MOST_SHOWN) this.changes.push(this.#change(letter, mended))
    } else if (mended.result === 'sound') {
      this.sound++
      if (takesSound) this.send({ letter })
    } else {
      this.failing.set(mended.code, (this.failing.get(mended.code) ?? 0) + 1)
      if (mended.changed) this.changedInVain++
      this.left.push({ letter, why: mended.code })
    }
  }

  #change(letter: Letter, { before, after }: { before: JsonObject; after: JsonObject }): Change {
    const { pipeline } = this.#desk
    const [masked, mended] = [maskedFields(before, pipeline), maskedFields(after, pipeline)]
    const fields = changedFields(before, after).map((field) => [field, masked[field], mended[field]] as const)
    return { letter, fields }
  }
}
