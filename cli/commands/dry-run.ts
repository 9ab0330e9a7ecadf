import { pipeline as stream } from 'node:stream/promises'
import { Command } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { readSettings } from '../../cluster/settings.ts'
import type { JsonObject } from '../../pipelines/api/define.ts'
import { DryRun } from '../../pipelines/api/dry-run.ts'
import { type Prepared, prepare } from '../../pipelines/api/execute.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import { makeSecrets, resolveOptions } from '../../pipelines/api/options.ts'
import { wholeNumber } from '../arguments.ts'
import { lineGroups } from '../lines.ts'
import { note } from '../output.ts'

interface Options {
  readonly base64?: boolean
  readonly now?: number
  readonly insights?: boolean
}

export const dryRunCommand = (): Command =>
  new Command('dry-run')
    .description(
      'Run a pipeline on record values from stdin, one a line, and print one line of JSON each. No broker is needed. ' +
        'The bare word `null` is a tombstone.',
    )
    .argument('<pipeline>', "a shipped pipeline's name, or the path of a module")
    .option('--base64', 'lines are base64 of the bytes')
    .option('--now <epoch ms>', 'the time of processing (default: the clock)', wholeNumber)
    .option('--insights', 'print insights and aggregates at the end')
    .action(dryRun)

const dryRun = async (nameOrPath: string, options: Options): Promise<void> => {
  const ready = await prepareFromEnvironment(nameOrPath)
  try {
    await stream(outputs(ready, options), process.stdout, { end: false })
  } catch (error) {
    if (!isClosedPipe(error)) throw error
  }
}

interface Ready {
  readonly prepared: Prepared
  readonly pipelineOptions: JsonObject
}

const prepareFromEnvironment = async (nameOrPath: string): Promise<Ready> => {
  const { maxRecordBytes } = readSettings(process.env)
  const { pipeline } = await loadPipeline(nameOrPath)
  const secrets = makeSecrets(pipeline, process.env)
  for (const variable of Object.keys(secrets)) note(`${variable} is not set: this run made one`)
  const pipelineOptions = resolveOptions(pipeline, { ...process.env, ...secrets })
  return { prepared: await prepare(pipeline, pipelineOptions, { maxRecordBytes }), pipelineOptions }
}

async function* outputs({ prepared, pipelineOptions }: Ready, options: Options): AsyncGenerator<string> {
  const { now } = options
  const aborter = new AbortController()
  const run = new DryRun(prepared, {
    now: now === undefined ? Date.now : () => now,
    options: pipelineOptions,
    signal: aborter.signal,
  })
  const read = valueReader(options.base64 === true)
  try {
    for await (const lines of lineGroups(process.stdin)) {
      for (const line of lines) yield `${await run.line(read(line))}\n`
    }
  } finally {
    aborter.abort()
  }
  if (options.insights) yield `${run.insights()}\n`
}

const TOMBSTONE = Buffer.from('null')
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}\r?$/

const valueReader = (base64: boolean) => {
  let number = 0
  return (line: Buffer): Buffer | null => {
    number++
    if (line.equals(TOMBSTONE)) return null
    if (!base64) return line
    const text = line.toString('latin1')
    if (!BASE64.test(text)) throw new MillraceError('usage', `line ${number} is not base64`)
    return Buffer.from(text, 'base64')
  }
}

/** `... | head -1` is no fault. */
const isClosedPipe = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EPIPE'
