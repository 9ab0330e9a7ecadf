/**
 * `npm run bench`: one worker process of Millrace against a plain kafkajs loop that does the same work, in turn, on
 * services of its own. Progress goes to stderr, the result to stdout. Exit code 0 unless a system failed to produce
 * everything; no number is judged. What is measured, and how: docs/benchmarks.md.
 */
import { Command, InvalidArgumentError, Option } from 'commander'
import { failureOf } from '../cli/failure.ts'
import { note, print } from '../cli/output.ts'
import { generateInput } from './input.ts'
import { measureLatency } from './latency.ts'
import { measure, type Sample, type System, systems } from './measure.ts'
import { countOutputs, type Expected, faultsOf } from './outputs.ts'
import { type Stage, withStage } from './stage.ts'
import { reportOf, sampleLine, textOf } from './summary.ts'

interface Options {
  readonly count: number
  readonly rounds: number
  readonly only?: System
  readonly telemetry: boolean
  readonly partitions: number
  readonly latency: boolean
  readonly short: boolean
  readonly json: boolean
}

const SHORT = { count: 100_000, rounds: 1 } as const

const chosen = ({ only, telemetry }: Options): readonly System[] => {
  if (only !== undefined) return [only]
  return telemetry ? ['millrace', 'watched'] : ['millrace', 'loop']
}

const runOnce = async (stage: Stage, system: System, round: number, expected: Expected) => {
  const job = await stage.job(system, round, expected.records)
  const { sample, counts } = await measure(system, round, job, stage.broker)
  note(sampleLine(sample))
  const faults = faultsOf(expected, await countOutputs(stage.topology, job.output), counts)
  await stage.forget(job)
  return { sample, faults: faults.map((fault) => `${system}, round ${round}: ${fault}`) }
}

/** True where every system produced everything. */
const compare = async (stage: Stage, options: Options): Promise<boolean> => {
  note(`generating ${options.count} records into ${options.partitions} partitions`)
  const expected = await generateInput(stage.settings, stage.input, options.count)
  const samples: Sample[] = []
  const faults: string[] = []
  for (let round = 1; round <= options.rounds; round++)
    for (const system of chosen(options)) {
      const ran = await runOnce(stage, system, round, expected)
      samples.push(ran.sample)
      faults.push(...ran.faults)
    }
  const report = reportOf(options.count, options.rounds, samples, faults)
  print(options.json ? JSON.stringify(report, undefined, 2) : textOf(report))
  return faults.length === 0
}

/** An input of its own for each: what one has read would be old for the other. */
const latencies = async (options: Options): Promise<boolean> => {
  for (const system of chosen(options)) {
    const found = await withStage(options.partitions, async (stage) =>
      measureLatency(stage.settings, system, await stage.job(system, 1, 0)),
    )
    const { records, p50, p99, max } = found
    print(
      options.json
        ? JSON.stringify(found)
        : `${system}: ${records} records, p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`,
    )
  }
  return true
}

const positive = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Give a whole number above 0.')
  return value
}

const program = new Command('bench')
  .description('Millrace against a plain kafkajs loop that does the same work')
  .option('--count <n>', 'records of each run', positive, 1_000_000)
  .option('--rounds <n>', 'rounds; the medians count', positive, 3)
  .addOption(new Option('--only <system>', 'run one system alone').choices(systems))
  .option('--telemetry', 'Millrace with telemetry on against the same with it off', false)
  .option('--partitions <n>', 'partitions of the input', positive, 4)
  .option('--latency', 'measure the time to the committed output at 500 records/s instead', false)
  .option('--short', '100,000 records, one round', false)
  .option('--json', 'print the result as JSON', false)

try {
  const given = program.parse().opts<Options>()
  const options = given.short ? { ...given, ...SHORT } : given
  const ok = options.latency
    ? await latencies(options)
    : await withStage(options.partitions, (stage) => compare(stage, options))
  process.exitCode = ok ? 0 : 1
} catch (error) {
  const failure = failureOf(error)
  note(failure.line)
  process.exitCode = failure.exitCode
}
