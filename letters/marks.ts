/**
 * What was done with which letter: the records of topic `millrace.<pipeline>.replays` (home cluster, compacted, one partition).
 * A letter's key is its place; an action's is `action/<id>`. Every value is absolute, the last of a key is the truth. Pure.
 */
import { formatOrigin, type Origin, parseOrigin } from '../cluster/protocol/headers.ts'

const FORMAT = 1

export type Deed = 'replay' | 'repair' | 'park'

export interface Mark {
  readonly format: number
  /** `sending`: over two clusters, before it is known that the input has it. */
  readonly state: 'sending' | 'done'
  readonly deed: Deed
  readonly who: string
  /** Epoch ms. */
  readonly at: number
  /** The action it belongs to. */
  readonly action: string
  /** Of the dead-letter topic: made anew, its offsets mean other letters. */
  readonly topicId: string
  /** It was settled before and forced to go once more. */
  readonly again?: true
  /** Where it went; absent where it was parked. `from`: over two clusters, the least offset it can have there. */
  readonly target?: { readonly topic: string; readonly partition: number; readonly from?: number }
}

/** One command of a person, or one run of a follower. */
export interface Action {
  readonly format: number
  readonly id: string
  readonly deed: Deed
  readonly who: string
  /** Epoch ms. */
  readonly at: number
  /** Selection and rules, as typed; no values. */
  readonly what: string
  readonly selected: number
  readonly sent: number
  readonly parked: number
  /** False where it was killed, fenced, or still runs. */
  readonly ended: boolean
}

const ACTION = 'action/'

export const markKey = (place: Origin): string => formatOrigin(place)
export const actionKey = (id: string): string => `${ACTION}${id}`

export const newMark = (mark: Omit<Mark, 'format'>): Mark => ({ format: FORMAT, ...mark })
export const newAction = (action: Omit<Action, 'format'>): Action => ({ format: FORMAT, ...action })

const parsed = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

const isMark = (value: unknown): value is Mark => {
  const { format, state, topicId, action } = (value ?? {}) as Partial<Record<keyof Mark, unknown>>
  return format === FORMAT && (state === 'sending' || state === 'done') && Boolean(topicId && action)
}

const isAction = (value: unknown): value is Action => {
  const { format, id, at } = (value ?? {}) as Partial<Record<keyof Action, unknown>>
  return format === FORMAT && typeof id === 'string' && typeof at === 'number'
}

/** Of an earlier reading or of this one: the newest of each key. What is of a later format is skipped. */
export class MarkBook {
  readonly #topicId: string
  readonly #marks = new Map<string, Mark>()
  readonly #actions = new Map<string, Action>()

  /** @param topicId of the dead-letter topic as it is now */
  constructor(topicId: string) {
    this.#topicId = topicId
  }

  /** `text` null: the intent led to nothing. */
  note(key: string, text: string | null): void {
    if (text === null) {
      this.#marks.delete(key)
      return
    }
    const value = parsed(text)
    if (key.startsWith(ACTION)) {
      if (isAction(value)) this.#actions.set(value.id, value)
    } else if (parseOrigin(key) !== undefined && isMark(value) && value.topicId === this.#topicId)
      this.#marks.set(key, value)
  }

  of(place: Origin): Mark | undefined {
    return this.#marks.get(markKey(place))
  }

  /** Letters of which nobody knows yet whether the input has them. */
  sending(): readonly (readonly [key: string, mark: Mark])[] {
    return [...this.#marks].filter(([, { state }]) => state === 'sending')
  }

  /** The oldest first. */
  actions(): readonly Action[] {
    return [...this.#actions.values()].sort((a, b) => a.at - b.at)
  }
}
