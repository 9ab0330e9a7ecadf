/** What every `millrace dlq` command works on: the pipeline, its dead letters, and what was done with them. */
import { EventBus } from '../../cluster/events.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { type Names, namesOf, replaysTopic } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { Foreign, Letter } from '../../letters/letter.ts'
import { weightOf } from '../../letters/letter.ts'
import { type LetterSource, readMarks, scanLetters } from '../../letters/logs.ts'
import type { MarkBook } from '../../letters/marks.ts'
import { type Selection, selects } from '../../letters/selection.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { aclsFor } from '../acls/own.ts'
import { requireAcls } from '../acls/preflight.ts'
import { connectedSettings } from '../connect.ts'
import { connectTopology, renamed } from '../host.ts'
import { untilInterrupted } from '../interrupt.ts'
import { pipelineFor } from '../pipeline.ts'
import { ProgressPrinter } from '../progress.ts'
import { startTelemetry } from '../telemetry.ts'

export interface Desk {
  readonly settings: Settings
  readonly pipeline: AnyPipeline
  /** Under which it was run. */
  readonly name: string
  readonly names: Names
  readonly home: Topology
  /** The same one where input and home are one cluster. */
  readonly input: Topology
  readonly source: LetterSource
  readonly marksTopic: string
  /** Of the dead-letter topic. */
  readonly topicId: string
  readonly marks: MarkBook
  /** Told of letters that are sent. */
  readonly events: EventBus
  readonly signal: AbortSignal
}

export interface DeskOptions {
  /** The name under which the pipeline was run. */
  readonly as?: string
}

export const withDesk = async <T>(
  named: string | undefined,
  { as }: DeskOptions,
  use: (desk: Desk) => Promise<T>,
): Promise<T> => {
  const settings = await connectedSettings(['input', 'home'], { pipeline: named })
  const pipeline = await pipelineFor(settings, named)
  await requireAcls(settings, aclsFor(settings, pipeline, { ...(as !== undefined && { as }) }, ['dlq']))
  const name = as ?? pipeline.name
  const topics = as === undefined ? pipeline.topics : renamed(pipeline.topics, as)
  const names = namesOf(name, topics, settings.topicPrefix)
  const marksTopic = replaysTopic(name, settings.topicPrefix)
  await using stack = new AsyncDisposableStack()
  const events = new EventBus()
  const subject = { role: 'tool', id: `dlq-${process.pid}`, pipeline: name } as const
  stack.use(await startTelemetry(settings, subject, events)).trace(names.input)
  const connected = async (which: 'input' | 'home') =>
    stack.adopt(await connectTopology(settings, which), (topology) => topology.connections.close())
  const home = await connected('home')
  const input = settings.homeBrokers.length === 0 ? home : await connected('input')
  using interrupted = untilInterrupted()
  const { signal } = interrupted
  const { topicId } = await home.topic(names.deadLetters)
  const marks = await readMarks(home, marksTopic, topicId, 'ends')
  const source = { topology: home, topic: names.deadLetters, pipeline: name }
  return await use({
    settings,
    pipeline,
    name,
    names,
    home,
    input,
    source,
    marksTopic,
    topicId,
    marks,
    events,
    signal,
  })
}

export type State = 'open' | 'sending' | 'replayed' | 'repaired' | 'parked'

const states = { replay: 'replayed', repair: 'repaired', park: 'parked' } as const

export const stateOf = (marks: MarkBook, letter: Letter): State => {
  const mark = marks.of(letter.place)
  if (mark === undefined) return 'open'
  return mark.state === 'sending' ? 'sending' : states[mark.deed]
}

/** @param all those that are settled too */
export const isWanted = (desk: Desk, selection: Selection, letter: Letter, all: boolean): boolean =>
  selects(selection, letter) && (all || desk.marks.of(letter.place)?.state !== 'done')

/** All that the topic holds now, with a progress line where it takes a while. */
export const visitLetters = async (
  desk: Desk,
  visit: (found: Letter | Foreign) => void,
  from?: ReadonlyMap<number, number>,
): Promise<ReadonlyMap<number, number>> => {
  const printer = new ProgressPrinter(`reading ${desk.source.topic}`)
  const started = performance.now()
  const progress = (done: number, total: number) =>
    printer.show({ done, total, elapsed: performance.now() - started })
  const { signal } = desk
  return scanLetters(desk.source, visit, { signal, progress, ...(from && { from }) }).finally(() =>
    printer.clear(),
  )
}

/** Letters wait in memory while they are put in order and asked about. */
const MOST_BYTES = 256 * 1024 ** 2

export interface Collected {
  readonly letters: readonly Letter[]
  /** Selected as well, but beyond the bound: for another run. */
  readonly beyond: number
  readonly next: ReadonlyMap<number, number>
}

export const collectLetters = async (
  desk: Desk,
  wanted: (letter: Letter) => boolean,
  from?: ReadonlyMap<number, number>,
): Promise<Collected> => {
  const letters: Letter[] = []
  let [bytes, beyond] = [0, 0]
  const take = (found: Letter | Foreign) => {
    if (found.kind !== 'letter' || !wanted(found)) return
    if (bytes > MOST_BYTES) beyond++
    else {
      bytes += weightOf(found)
      letters.push(found)
    }
  }
  const next = await visitLetters(desk, take, from)
  return { letters, beyond, next }
}
