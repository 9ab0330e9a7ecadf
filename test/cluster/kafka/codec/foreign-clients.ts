/** Other clients that write and read whole topics: librdkafka (kcat) and the Java client (Kafka's console tools). */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { javaArgs, type KafkaInstall } from '../../../../cli/services/java.ts'

/** As both tools can express them: texts without separators. */
export interface TextRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string])[]
}

export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]

/** Runs a program to its end; what it prints. */
const run = async (command: string, args: readonly string[], input: string): Promise<string> => {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: 60_000 })
  child.stdin.end(input)
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  if (child.exitCode !== 0) throw new Error(`${command} ends with ${child.exitCode}: ${errors}`)
  return output
}

export interface Kcat {
  readonly command: string
  readonly address: string
}

/** kcat gives all records of a run the same headers; an empty key or value is null. */
export const kcatProduce = async (
  { command, address }: Kcat,
  topic: string,
  codec: Codec,
  records: readonly TextRecord[],
): Promise<void> => {
  const headers = records[0]?.headers.flatMap(([name, value]) => ['-H', `${name}=${value}`]) ?? []
  const lines = records.map(({ key, value }) => `${key ?? ''}\t${value ?? ''}\n`)
  const options = ['-X', 'linger.ms=200', '-X', 'batch.size=900000', '-z', codec]
  await run(
    command,
    ['-P', '-b', address, '-t', topic, '-p', '0', '-K', '\\t', '-Z', ...options, ...headers],
    lines.join(''),
  )
}

export interface KcatRecord {
  readonly offset: number
  readonly ts: number
  readonly key: string | null
  readonly payload: string | null
  /** Names and values in turn. */
  readonly headers?: readonly (string | null)[]
}

export const kcatConsume = async ({ command, address }: Kcat, topic: string): Promise<KcatRecord[]> => {
  const checked = ['-X', 'check.crcs=true']
  const output = await run(
    command,
    ['-C', '-b', address, '-t', topic, '-o', 'beginning', '-e', '-q', '-J', ...checked],
    '',
  )
  return output
    .split('\n')
    .filter(Boolean)
    .map((line): KcatRecord => JSON.parse(line))
}

export interface JavaClient {
  readonly install: KafkaInstall
  readonly address: string
}

const NULL = '<null>'
const java = (
  { install }: JavaClient,
  main: string,
  args: readonly string[],
  input: string,
): Promise<string> =>
  run(install.java, javaArgs(install, main, args, ['-Xmx256m', '-XX:TieredStopAtLevel=1']), input)

export const javaProduce = async (
  client: JavaClient,
  topic: string,
  codec: Codec,
  records: readonly TextRecord[],
): Promise<void> => {
  const lines = records.map(({ key, value, headers }) => {
    const written = headers.map(([name, content]) => `${name}:${content}`).join(',')
    return `${written || NULL}\t${key ?? NULL}\t${value ?? NULL}\n`
  })
  const reader = ['parse.key=true', 'parse.headers=true', `null.marker=${NULL}`]
  const where = ['--bootstrap-server', client.address, '--topic', topic, '--compression-codec', codec]
  const large = ['--batch-size', '900000', '--command-property', 'linger.ms=200']
  await java(
    client,
    'org.apache.kafka.tools.ConsoleProducer',
    [...where, ...large, ...reader.flatMap((property) => ['--reader-property', property])],
    lines.join(''),
  )
}

/** One line a record: time, offset, headers, key, value, as the console consumer prints them. */
export const javaConsume = async (client: JavaClient, topic: string, count: number): Promise<string[]> => {
  const shown = ['timestamp', 'offset', 'headers', 'key'].map((part) => `print.${part}=true`)
  const where = [
    '--bootstrap-server',
    client.address,
    '--topic',
    topic,
    '--partition',
    '0',
    '--offset',
    'earliest',
  ]
  const properties = [...shown, `null.literal=${NULL}`].flatMap((property) => [
    '--formatter-property',
    property,
  ])
  const crc = ['--command-property', 'check.crcs=true']
  const output = await java(
    client,
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    [...where, '--max-messages', String(count), '--timeout-ms', '20000', ...crc, ...properties],
    '',
  )
  return output.split('\n').filter(Boolean)
}
