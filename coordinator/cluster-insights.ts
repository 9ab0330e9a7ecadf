/**
 * What a pipeline says of its totals over all slots, published by the leading coordinator every so many seconds, and the
 * alerts on its dead letters. The same keys hold newer values: a repeat (by a new leader, or after an unclear send) is harmless.
 *
 * Nothing is said while a slot has no part of its own in Redis (it never published, or Redis was emptied): what is said
 * covers all that is committed. An alert is told at once, and once a class; a new leader tells it again.
 */
import { type Actor, spawn } from '../cluster/actor/actor.ts'
import { type Cancel, type Clock, sleep } from '../cluster/actor/clock.ts'
import { messageOf } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import type { ViewReader, WindowParts } from '../cluster/redis/views-read.ts'

export interface ClusterMessage {
  readonly key: string
  readonly value: { readonly [name: string]: unknown }
}

export interface Said {
  readonly messages: readonly ClusterMessage[]
  /** Why others were left out. */
  readonly faults: readonly string[]
}

/** One pipeline's own words, over the parts of its totals. */
export interface Spokesman {
  /** Between two publications; undefined where it publishes nothing. */
  readonly seconds: number | undefined
  /** Dead letters of one class at which people are alerted. */
  readonly alertAt: number | undefined
  /** @throws whatever the pipeline's function throws */
  say(totals: readonly WindowParts[]): Said
  errors(totals: readonly WindowParts[]): readonly (readonly [errorClass: string, count: number])[]
}

export interface ClusterInsightsOptions {
  readonly clock: Clock
  readonly events: EventBus
  readonly reader: ViewReader
  readonly leads: () => boolean
  /** Pipelines and their slots. */
  readonly pipelines: () => readonly { readonly pipeline: string; readonly slots: number }[]
  /** Undefined for a pipeline whose module is not known here. */
  readonly spokesmanOf: (pipeline: string) => Promise<Spokesman | undefined>
  readonly send: (pipeline: string, messages: readonly ClusterMessage[]) => Promise<void>
}

const ROUND_MS = 500
/** For the last words of a leader that stops. */
const LAST_MS = 2000

export const publishClusterInsights = (options: ClusterInsightsOptions): Actor<'round'> => {
  const rounds = new Rounds(options)
  let cancel: Cancel = () => {}
  const actor = spawn<'round'>({
    name: 'cluster insights',
    receive: async (_, self) => {
      await rounds.run('due')
      cancel = options.clock.after(ROUND_MS, () => self.tell('round'))
    },
    onStop: async () => {
      cancel()
      const said = new AbortController()
      const last = rounds.run('all').then(() => said.abort())
      await Promise.race([last, sleep(options.clock, LAST_MS, said.signal)])
    },
  })
  actor.tell('round')
  return actor
}

class Rounds {
  readonly #options: ClusterInsightsOptions
  /** Pipeline -> when it spoke last, in monotonic ms. */
  readonly #spoken = new Map<string, number>()
  /** Pipeline and key -> value as it was sent. */
  readonly #sent = new Map<string, string>()
  readonly #alerted = new Set<string>()
  /** Told once. */
  readonly #faults = new Set<string>()
  readonly #away = new Map<string, string>()

  constructor(options: ClusterInsightsOptions) {
    this.#options = options
  }

  async run(which: 'due' | 'all'): Promise<void> {
    if (!this.#options.leads()) return this.#forget()
    for (const { pipeline, slots } of this.#options.pipelines()) {
      try {
        await this.#visit(pipeline, slots, which)
        this.#away.delete(pipeline)
      } catch (error) {
        // Redis or Kafka is away: what was not sent is sent at a later round.
        const detail = messageOf(error)
        if (this.#away.get(pipeline) !== detail)
          this.#options.events.emit('waiting', { for: `the cluster insights of ${pipeline}`, detail })
        this.#away.set(pipeline, detail)
      }
    }
  }

  #forget(): void {
    for (const memory of [this.#spoken, this.#sent, this.#alerted, this.#faults]) memory.clear()
  }

  async #visit(pipeline: string, slots: number, which: 'due' | 'all'): Promise<void> {
    const { reader, clock, spokesmanOf } = this.#options
    const spokesman = await spokesmanOf(pipeline)
    if (spokesman === undefined) return
    const due =
      spokesman.seconds !== undefined && (which === 'all' || this.#isDue(pipeline, spokesman.seconds))
    if (!due && spokesman.alertAt === undefined) return
    const whole = async () => (await reader.heads(pipeline)).length >= slots
    // Looked at on both sides: Redis may be emptied at any moment.
    const before = await whole()
    const totals = await reader.parts(pipeline, { size: 'total' })
    if (spokesman.alertAt !== undefined) this.#alert(pipeline, spokesman.alertAt, spokesman.errors(totals))
    if (!due || !before || !(await whole())) return
    const now = clock.now()
    await this.#publish(pipeline, spokesman, totals)
    this.#spoken.set(pipeline, now)
  }

  #isDue(pipeline: string, seconds: number): boolean {
    const spoken = this.#spoken.get(pipeline) ?? Number.NEGATIVE_INFINITY
    return this.#options.clock.now() - spoken >= seconds * 1000
  }

  #alert(pipeline: string, at: number, errors: ReturnType<Spokesman['errors']>): void {
    for (const [errorClass, count] of errors) {
      const name = JSON.stringify([pipeline, errorClass])
      if (count < at || this.#alerted.has(name)) continue
      this.#alerted.add(name)
      this.#options.events.emit('alert', { pipeline, errorClass, count, at })
    }
  }

  async #publish(pipeline: string, spokesman: Spokesman, totals: readonly WindowParts[]): Promise<void> {
    const name = (key: string) => JSON.stringify([pipeline, key])
    const changed = this.#said(pipeline, spokesman, totals).filter(
      ({ key, value }) => this.#sent.get(name(key)) !== JSON.stringify(value),
    )
    if (changed.length === 0 || !this.#options.leads()) return
    await this.#options.send(pipeline, changed)
    for (const { key, value } of changed) this.#sent.set(name(key), JSON.stringify(value))
    this.#options.events.emit('clusterInsights', { pipeline, messages: changed })
  }

  /** A pipeline's fault is its own: the others go on, and so does the coordinator. */
  #said(pipeline: string, spokesman: Spokesman, totals: readonly WindowParts[]): readonly ClusterMessage[] {
    try {
      const { messages, faults } = spokesman.say(totals)
      for (const fault of faults)
        this.#tell(`of the cluster insights of ${pipeline} some are left out: ${fault}`)
      return messages
    } catch (error) {
      this.#tell(`the cluster insights of ${pipeline} are not published: ${messageOf(error)}`)
      return []
    }
  }

  #tell(fault: string): void {
    if (this.#faults.has(fault)) return
    this.#faults.add(fault)
    this.#options.events.emit('skipped', { detail: fault })
  }
}
