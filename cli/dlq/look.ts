/** `millrace dlq list`, `show`, `groups`, `log`: what there is, masked unless asked otherwise. */
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import { formatOrigin } from '../../cluster/protocol/headers.ts'
import { type Cure, cureOf, cureText, type Group, Groups } from '../../letters/groups.ts'
import type { Foreign, Letter } from '../../letters/letter.ts'
import { readLetter } from '../../letters/letter.ts'
import { completed, recordAt } from '../../letters/logs.ts'
import type { Mark } from '../../letters/marks.ts'
import { previewHeaders, previewKey, previewValue, type Viewer } from '../../letters/preview.ts'
import { decodeObject } from '../../pipelines/api/decode.ts'
import { isVerdict } from '../../pipelines/api/outcome.ts'
import { type Format, note, printData } from '../output.ts'
import { type Desk, type DeskOptions, isWanted, stateOf, visitLetters, withDesk } from './desk.ts'
import { placeOf, type SelectionOptions, selectionOf } from './options.ts'
import { actionsText, groupsText, listText, showText } from './text.ts'
import { menderFor } from './validator.ts'

export interface LookOptions extends SelectionOptions {
  readonly all?: boolean
  readonly raw?: boolean
  readonly number: number
  readonly oldest?: boolean
  readonly output: Format
}

const iso = (at: number): string => new Date(at).toISOString()

const rowOf = (desk: Desk, found: Letter | Foreign, viewer: Viewer) => ({
  letter: formatOrigin(found.place),
  state: found.kind === 'foreign' ? 'foreign' : stateOf(desk.marks, found),
  failedAt: iso(found.at),
  code: found.kind === 'foreign' ? null : found.code,
  message: found.kind === 'foreign' ? null : found.message,
  origin: found.kind === 'foreign' ? null : formatOrigin(found.origin),
  replays: found.kind === 'foreign' ? null : found.replays,
  key: previewKey(found.key, viewer),
})

export type Row = ReturnType<typeof rowOf>

export const list = async (named: string | undefined, options: LookOptions): Promise<void> => {
  const selection = selectionOf(options)
  const isSelective = Object.values(selection).some((part) => typeof part === 'number' || part.length > 0)
  await withDesk(named, options, async (desk) => {
    const viewer = { pipeline: desk.pipeline, raw: options.raw === true }
    const sign = options.oldest === true ? -1 : 1
    const newestFirst = (a: Letter | Foreign, b: Letter | Foreign) =>
      sign * (b.at - a.at || b.place.offset - a.place.offset)
    let kept: (Letter | Foreign)[] = []
    const counts = { selected: 0, settled: 0, foreign: 0 }
    await visitLetters(desk, (found) => {
      if (found.kind === 'foreign') {
        counts.foreign++
        if (isSelective || found.pipeline !== undefined) return
      } else if (!isWanted(desk, selection, found, options.all === true)) {
        if (desk.marks.of(found.place) !== undefined) counts.settled++
        return
      } else counts.selected++
      kept.push(found)
      if (kept.length > 2 * options.number + 1000) kept = kept.sort(newestFirst).slice(0, options.number)
    })
    const rows = kept.sort(newestFirst).slice(0, options.number)
    const letters = rows.map((found) => rowOf(desk, found, viewer))
    printData(options.output, { topic: desk.source.topic, ...counts, letters }, () =>
      listText(letters, counts),
    )
  })
}

export const groups = async (named: string | undefined, options: LookOptions): Promise<void> => {
  const selection = selectionOf(options)
  await withDesk(named, options, async (desk) => {
    const found = new Groups()
    await visitLetters(desk, (letter) => {
      if (letter.kind === 'letter' && isWanted(desk, selection, letter, options.all === true))
        found.add(letter)
    })
    const judge = await judgeFor(desk)
    const viewer = { pipeline: desk.pipeline, raw: options.raw === true }
    const data = await Promise.all(
      found.take().map(async (group) => {
        const { code, field = null, message, count, first, last, example } = group
        const cure = await judge(group)
        return {
          code,
          field,
          message,
          count,
          first: iso(first),
          last: iso(last),
          example: { letter: formatOrigin(example.place), value: previewValue(example.value, viewer) },
          cure: cure.how,
          remedy: cureText(cure, code, runOf(desk)),
        }
      }),
    )
    printData(options.output, data, () => groupsText(data))
  })
}

export type GroupRow = {
  readonly code: string
  readonly message: string
  readonly count: number
  readonly first: string
  readonly last: string
  readonly example: { readonly letter: string; readonly value: ReturnType<typeof previewValue> }
  readonly remedy: string
}

/** As a command names it. */
const runOf = ({ pipeline, name }: Desk): string =>
  name === pipeline.name ? name : `${pipeline.name} --as ${name}`

/** What would mend a group, tried on its example. */
const judgeFor = async ({ pipeline, settings, signal }: Desk): Promise<(group: Group) => Promise<Cure>> => {
  const { maxRecordBytes } = settings
  const mender = await menderFor(pipeline, { settings, rules: [], signal }).catch((error: unknown) => {
    note(`what the pipeline itself would mend is not tried: ${messageOf(error)}`)
  })
  return async ({ code, example }) => {
    const record = decodeObject(example.value, 0, example.value?.length ?? 0, maxRecordBytes)
    const value = isVerdict(record) ? undefined : record
    const mended = await mender?.mend(example)
    return cureOf({ example, code, value, repairs: mended?.result === 'mended' }, pipeline)
  }
}

export const show = async (
  place: string,
  named: string | undefined,
  options: DeskOptions & { readonly raw?: boolean; readonly output: Format },
): Promise<void> => {
  const wanted = placeOf(place)
  await withDesk(named, options, async (desk) => {
    const found = await findLetter(desk, wanted)
    if (found === undefined)
      throw new MillraceError('usage', `${desk.source.topic} holds no letter ${place}`, {
        remedy: '`millrace dlq list --all` shows those there are',
      })
    const viewer = { pipeline: desk.pipeline, raw: options.raw === true }
    const whole = found.kind === 'letter' ? await completed(desk.input, found) : found
    const { value, headers } = whole ?? found
    const data = {
      ...rowOf(desk, found, viewer),
      attempts: found.kind === 'letter' ? found.attempts : null,
      body: found.kind === 'letter' ? (whole === undefined ? 'gone' : found.body) : null,
      mark: desk.marks.of(found.place) ?? null,
      headers: previewHeaders(headers, viewer).map(([name, text]) => ({ name, value: text })),
      value: previewValue(value, viewer),
    }
    printData(options.output, data, () => showText(data))
  })
}

export interface Shown extends Row {
  readonly attempts: number | null
  readonly body: string | null
  readonly mark: Mark | null
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly value: ReturnType<typeof previewValue>
}

const findLetter = async (
  desk: Desk,
  wanted: ReturnType<typeof placeOf>,
): Promise<Letter | Foreign | undefined> => {
  const { topic, topology, pipeline } = desk.source
  if (wanted.topic === topic) {
    const record = await recordAt(topology, wanted)
    return record && readLetter(topic, wanted.partition, record, pipeline)
  }
  let found: Letter | undefined
  await visitLetters(desk, (letter) => {
    if (letter.kind === 'letter' && formatOrigin(letter.origin) === formatOrigin(wanted)) found = letter
  })
  return found
}

export const log = async (
  named: string | undefined,
  options: DeskOptions & { readonly output: Format },
): Promise<void> =>
  withDesk(named, options, async (desk) => {
    const actions = desk.marks.actions().map((action) => ({ ...action, at: iso(action.at) }))
    if (actions.length === 0 && options.output === 'text')
      note('nothing was replayed, repaired or parked yet')
    else printData(options.output, actions, () => actionsText(actions))
  })
