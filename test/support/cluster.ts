/** A whole Millrace of the test's own on given services: coordinator and workers as real processes, generator, audit. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { AuditReport } from '../../audit/report.ts'
import { withAdmins } from '../../cli/admins.ts'
import { auditPipeline } from '../../cli/audit.ts'
import { createGenerator, type GeneratorOptions } from '../../cli/generator.ts'
import { connectTopology } from '../../cli/host.ts'
import { sendPaced, withProducer } from '../../cli/produce.ts'
import { settingsEnv } from '../../cli/settings-env.ts'
import { createInput, ensureTopics } from '../../cluster/kafka/admin.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { type Names, namesOf } from '../../cluster/protocol/names.ts'
import type { Protocol } from '../../cluster/protocol/negotiation.ts'
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { type Roster, redisWorkers } from '../../cluster/redis/workers.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import { clientIdOf, type FaultProxy } from './proxy.ts'
import { uniqueName } from './services.ts'

const bin = fileURLToPath(new URL('../../cli/millrace.mjs', import.meta.url))

/** A `millrace` command in the background; what it says is kept. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: string[] = []
  readonly #exit: Promise<number | string>
  #heard = Promise.withResolvers<void>()

  /** @param entry of another build than this one */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
    cwd?: string,
    entry = bin,
  ) {
    this.child = spawn(process.execPath, [entry, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', (line) => {
        this.lines.push(line)
        this.#heard.resolve()
        this.#heard = Promise.withResolvers()
      })
    }
    this.#exit = new Promise((resolve) =>
      this.child.once('close', (code, signal) => resolve(code ?? signal ?? 'gone')),
    )
  }

  /** Exit code, or the signal's name. */
  get exited(): Promise<number | string> {
    return this.#exit
  }

  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length
  }

  /** Resolves when that many lines fit. */
  async says(pattern: RegExp, deadlineMs: number, times = 1): Promise<void> {
    const late = pause(deadlineMs).then(() => 'late' as const)
    while (this.count(pattern) < times) {
      const next = await Promise.race([this.#heard.promise, late, this.#exit.then(() => 'ended' as const)])
      if (next !== undefined && this.count(pattern) < times)
        throw new Error(
          `it ${next === 'late' ? 'did not say' : 'ended without saying'} ${pattern}; its last lines:\n${this.lines.slice(-20).join('\n')}`,
        )
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return this.#exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGTERM')
  }
}

export interface TestClusterOptions {
  readonly kafka: readonly string[]
  readonly redis: string
  readonly pipeline?: string
  readonly partitions?: number
  readonly processes?: number
  readonly settings?: Partial<Settings>
  /** Beside the settings: what belongs to others, such as `OTEL_*`. */
  readonly env?: Readonly<Record<string, string>>
  /** Versions of reports that the test reads. */
  readonly protocol?: Protocol
}

const CALM = { restarts: 1000, lease: 4000, grace: 8000, logFormat: 'pretty' } as const

/** For `await using`: everything it started has ended when it is disposed. */
export class TestCluster implements AsyncDisposable {
  readonly settings: Settings
  readonly pipeline: AnyPipeline
  readonly names: Names
  readonly input: Topology
  readonly env: Readonly<Record<string, string>>
  readonly #stack: AsyncDisposableStack
  readonly #workers: ReturnType<typeof redisWorkers>

  private constructor(
    parts: Pick<TestCluster, 'settings' | 'pipeline' | 'names' | 'input' | 'env'>,
    redis: Awaited<ReturnType<typeof connectRedis>>,
    stack: AsyncDisposableStack,
    protocol?: Protocol,
  ) {
    this.settings = parts.settings
    this.pipeline = parts.pipeline
    this.names = parts.names
    this.input = parts.input
    this.env = parts.env
    this.#workers = redisWorkers(redis, keysOf(parts.settings.clusterId), protocol)
    this.#stack = stack
  }

  /** Topics are made; nothing runs yet. */
  static async open(options: TestClusterOptions): Promise<TestCluster> {
    const id = uniqueName('t')
    const named = options.pipeline ?? 'user-login'
    const changes: Partial<Settings> = {
      ...CALM,
      kafkaBrokers: options.kafka,
      redisUrl: options.redis,
      pipeline: named,
      clusterId: id,
      topicPrefix: `${id}.`,
      partitions: options.partitions ?? 4,
      httpPort: 0,
      threads: 1,
      ...options.settings,
    }
    const settings = readSettings({}, changes)
    const { pipeline } = await loadPipeline(named)
    const names = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix)
    await withAdmins(settings, async (admins) => {
      await createInput(admins.input, names.input, settings)
      await ensureTopics(admins, names, settings)
    })
    const stack = new AsyncDisposableStack()
    const redis = stack.adopt(await connectRedis(settings), closeRedis)
    const input = stack.adopt(await connectTopology(settings, 'input'), (topology) =>
      topology.connections.close(),
    )
    const env = {
      ...settingsEnv(changes),
      ...(pipeline.name === 'user-login' && { MILLRACE_OPTION_TOKEN_KEY: 'a'.repeat(32) }),
      ...options.env,
    }
    return new TestCluster({ settings, pipeline, names, input, env }, redis, stack, options.protocol)
  }

  /** A command with this cluster's settings; stopped with the cluster. */
  run(...args: readonly string[]): Running {
    return this.#stack.use(new Running(args, this.env))
  }

  /** The same of another build. */
  runOf(entry: string, ...args: readonly string[]): Running {
    return this.#stack.use(new Running(args, this.env, undefined, entry))
  }

  /** Coordinator and workers; resolves when every slot is owned and runs. */
  async start(processes = 2): Promise<{ readonly coordinator: Running; readonly workers: Running }> {
    const coordinator = this.run('coordinator')
    const workers = this.run('worker', '--processes', String(processes))
    await this.settled(60_000).catch((error: Error) => {
      throw new Error([error.message, ...coordinator.lines, ...workers.lines].join('\n'))
    })
    return { coordinator, workers }
  }

  roster(): Promise<Roster> {
    return this.#workers.read()
  }

  /** Of processes that exist: a killed one's report outlives it by its lease. */
  async reports(): Promise<readonly WorkerReport[]> {
    const { live } = await this.#workers.read().catch(() => ({ live: [] }))
    return live.filter(({ pid }) => exists(pid))
  }

  /** Of this pipeline: another may run in the same cluster. */
  async ownReports(): Promise<readonly WorkerReport[]> {
    return (await this.reports()).filter(({ pipeline }) => pipeline === this.pipeline.name)
  }

  /** Every slot is claimed and runs. */
  async settled(deadlineMs: number): Promise<void> {
    await until('every slot runs', deadlineMs, async () => {
      const reports = await this.ownReports()
      const running = reports.flatMap(({ owned }) => owned.filter((slot) => slot.state === 'running'))
      return reports[0] !== undefined && new Set(running.map((slot) => slot.slot)).size === reports[0].slots
    })
  }

  /** @returns how many Kafka has confirmed */
  async produce(
    count: number,
    options: { readonly rate?: number } & Partial<GeneratorOptions> = {},
    signal = new AbortController().signal,
  ): Promise<number> {
    const generator = createGenerator({ seed: 1, missing: 0.05, corrupt: 0.01, keys: 'uniform', ...options })
    const pace = { rate: options.rate ?? 0, count, most: 1000 }
    const target = { topic: this.names.input, which: 'input', acks: 'all' } as const
    const { sent } = await withProducer(this.settings, target, (producer) =>
      sendPaced(producer, () => generator.next(), pace, { signal }),
    )
    return sent
  }

  /**
   * Records that stand in the input. After a leader has moved it may differ from what was sent: kafkajs sends again
   * by broker, not by partition, so a plain client doubles records there. What counts is what Kafka holds.
   */
  async written(): Promise<number> {
    const partitions = [...(await this.input.topic(this.names.input)).partitions.keys()]
    const ends = await this.input.ends(this.names.input, partitions)
    return [...ends.values()].reduce((sum, end) => sum + end, 0)
  }

  /** Kills a worker at the moment the broker has done that step and the worker does not know it yet. */
  async killAfter(proxy: FaultProxy, apiKey: number): Promise<void> {
    const workers = new Map((await this.reports()).map(({ worker, pid }) => [worker, pid]))
    const request = await proxy.dropNextResponse(
      (seen) => seen.apiKey === apiKey && workers.has(clientIdOf(seen)),
    )
    process.kill(workers.get(clientIdOf(request)) ?? 0, 'SIGKILL')
  }

  /** Records go through. */
  async flows(deadlineMs: number): Promise<void> {
    await until('records go through', deadlineMs, async () =>
      (await this.ownReports()).some(({ owned }) => owned.some(({ counters }) => counters.done > 0)),
    )
  }

  /** Every position stands at the end of its partition. */
  async drained(deadlineMs: number): Promise<void> {
    const partitions = [...(await this.input.topic(this.names.input)).partitions.keys()]
    const ends = await this.input.ends(this.names.input, partitions)
    await until('every position stands at the end', deadlineMs, async () => {
      const next = new Map(
        (await this.ownReports()).flatMap(({ owned }) =>
          owned.flatMap((slot) => slot.partitions.map((one) => [one.partition, one.next] as const)),
        ),
      )
      return partitions.every((partition) => (next.get(partition) ?? -1) >= (ends.get(partition) ?? 0))
    })
  }

  /** From outside, Redis compared with the recount. */
  async audit(): Promise<AuditReport> {
    const redis = await connectRedis(this.settings)
    try {
      return await auditPipeline(this.settings, this.pipeline, this.names, redis)
    } finally {
      closeRedis(redis)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const LOOK_MS = 100

/** What only Redis or Kafka can tell is looked for until it is so. */
export const until = async (
  what: string,
  deadlineMs: number,
  holds: () => Promise<boolean>,
): Promise<void> => {
  const end = performance.now() + deadlineMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await pause(LOOK_MS)
  }
}

/** What every guarantee ends with. */
export const clean = {
  ok: true,
  lost: 0,
  double: 0,
  foreign: 0,
  mismatch: 0,
  order: 0,
  notProvable: [],
} as const
