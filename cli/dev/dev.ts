/**
 * `millrace dev`: services, a coordinator and one worker around a pipeline that is being written.
 *
 *     look at the module -> topics -> run it -> a save: look again -> (sound) stop, run anew | (broken) say so, go on
 *
 * Law: whatever a save holds, what was saved last and is sound runs, or its line says why not.
 */
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import { createInput, ensureTopics } from '../../cluster/kafka/admin.ts'
import { type Names, namesOf } from '../../cluster/protocol/names.ts'
import { withAdmins } from '../admins.ts'
import { failureOf } from '../failure.ts'
import { note, print, styled } from '../output.ts'
import { Followed } from './follow.ts'
import { type Generation, startGeneration } from './generation.ts'
import { type Look, lookAt, type Seen } from './look.ts'
import { type Place, takePlace } from './place.ts'
import { OutcomePrinter } from './printer.ts'
import { screen } from './screen.ts'
import { FileWatch } from './watch.ts'

export interface DevOptions {
  readonly keep?: boolean
  readonly yes?: boolean
  readonly seconds?: number
}

/** @throws MillraceError where the first start fails; later faults wait for the next save */
export const dev = async (path: string, options: DevOptions, interrupted: AbortSignal): Promise<void> => {
  const first = await lookAt(path)
  if (!first.ok) throw failureIn(first)
  using printer = new OutcomePrinter(print)
  {
    await using stack = new AsyncDisposableStack()
    const place = await takePlace(first.seen, options, stack)
    const session = new Session(path, first.seen, place, printer)
    stack.use(session)
    using watch = new FileWatch()
    watch.add(first.files)
    await session.run(first.seen)
    note(`\n${session.screen(options.seconds)}\n`)
    await untilEnd(session, watch, path, endSignal(options, interrupted))
    note('stopping: draining the worker, ending the services')
  }
  note(printer.summary())
}

const failureIn = ({ fault }: Extract<Look, { ok: false }>): MillraceError =>
  new MillraceError(fault.code, fault.message, fault.remedy === undefined ? {} : { remedy: fault.remedy })

const endSignal = ({ seconds }: DevOptions, interrupted: AbortSignal): AbortSignal =>
  seconds === undefined ? interrupted : AbortSignal.any([interrupted, AbortSignal.timeout(seconds * 1000)])

const untilEnd = async (session: Session, watch: FileWatch, path: string, signal: AbortSignal) => {
  while (await watch.next(signal)) {
    const look = await lookAt(path)
    watch.add(look.files)
    if (signal.aborted) return
    if (look.ok) await session.again(look.seen)
    else session.refuse(failureIn(look))
  }
}

class Session implements AsyncDisposable {
  readonly #path: string
  readonly #place: Place
  readonly #name: string
  readonly #followed: Followed
  #seen: Seen
  #generation: Generation | undefined

  constructor(path: string, seen: Seen, place: Place, printer: OutcomePrinter) {
    this.#path = path
    this.#place = place
    this.#name = seen.name
    this.#seen = seen
    this.#followed = new Followed(place.settings, {
      from: { at: place.fresh ? 'beginning' : 'end' },
      show: (line) => printer.show(line),
      failed: (error) => note(styled('red', `what becomes of records is not shown: ${messageOf(error)}`)),
    })
  }

  get #names(): Names {
    return namesOf(this.#seen.name, this.#seen.topics, this.#place.settings.topicPrefix)
  }

  /** @throws MillraceError where it does not start */
  async run(seen: Seen): Promise<void> {
    const { settings } = this.#place
    // A secret that was made up stays what it was: tokens of before are those of after.
    this.#seen = { ...seen, secrets: { ...seen.secrets, ...this.#seen.secrets } }
    await withAdmins(settings, async (admins) => {
      await createInput(admins.input, this.#names.input, settings)
      await ensureTopics(admins, this.#names, settings)
    })
    this.#followed.follow(this.#names)
    const generation = startGeneration(settings, this.#seen.secrets)
    this.#generation = generation
    await generation.ready
    void generation.ended.then((failure) => failure && this.refuse(failure))
  }

  async again(seen: Seen): Promise<void> {
    if (seen.name !== this.#name)
      return this.refuse(
        new MillraceError('usage', `it is called ${seen.name} now, and not ${this.#name}`, {
          remedy: 'end this and start it anew',
        }),
      )
    const started = performance.now()
    note(styled('dim', `${this.#path} was saved: starting it again`))
    try {
      await this.#stop()
      await this.run(seen)
      note(styled('dim', `${seen.name} runs again, after ${Math.round(performance.now() - started)} ms`))
    } catch (error) {
      this.refuse(error)
    }
  }

  refuse(error: unknown): void {
    note(styled('red', failureOf(error).line))
    note(
      styled(
        'dim',
        `${this.#generation === undefined ? 'nothing runs' : 'what ran before goes on'}: save it again`,
      ),
    )
  }

  async #stop(): Promise<void> {
    await this.#generation?.[Symbol.asyncDispose]()
    this.#generation = undefined
  }

  screen(seconds: number | undefined): string {
    const beside = join(dirname(fileURLToPath(this.#seen.url)), 'records.ndjson')
    const records = existsSync(beside)
      ? { file: relative(process.cwd(), beside) }
      : { sample: this.#seen.sample }
    const { settings, env } = this.#place
    return screen({ name: this.#name, path: this.#path, names: this.#names, settings, env, records, seconds })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
    await this.#followed[Symbol.asyncDispose]()
  }
}
