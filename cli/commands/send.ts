import { Command, Option } from 'commander'
import { EventBus } from '../../cluster/events.ts'
import type { Which } from '../../cluster/kafka/client.ts'
import { header } from '../arguments.ts'
import { connectedSettings } from '../connect.ts'
import { chunksOf, lineGroups } from '../lines.ts'
import { count, type Format, outputOption, printData } from '../output.ts'
import { type OutgoingRecord, withProducer } from '../produce.ts'
import { tracedSends } from '../send-tracing.ts'
import { startTelemetry } from '../telemetry.ts'

const MOST = 1000

interface Options {
  readonly key?: string
  readonly header?: readonly [string, string][]
  readonly base64?: boolean
  readonly cluster: Which
  readonly output: Format
}

export const sendCommand = (): Command =>
  new Command('send')
    .description('Produce records from stdin, one a line. The bare word `null` is a tombstone.')
    .argument('<topic>')
    .option('-k, --key <key>', 'key of every record (default: none)')
    .option('-H, --header <name=value>', 'header of every record; may be repeated', header)
    .option('--base64', 'lines are base64 of the bytes')
    .addOption(
      new Option('--cluster <which>', 'cluster of the input, or of outputs and state')
        .choices(['input', 'home'])
        .default('input'),
    )
    .addOption(outputOption())
    .action(send)

const send = async (topic: string, options: Options): Promise<void> => {
  const settings = await connectedSettings([options.cluster], { anyDev: true })
  const recordOf = recordMaker(options)
  let sent = 0
  const events = new EventBus()
  await using telemetry = await startTelemetry(settings, { role: 'tool', id: `send-${process.pid}` }, events)
  telemetry.trace(topic)
  await withProducer(settings, { topic, which: options.cluster, acks: 'all' }, async (plain) => {
    const producer = tracedSends(plain, telemetry, events)
    for await (const lines of lineGroups(process.stdin)) {
      for (const some of chunksOf(lines, MOST)) {
        await producer.send(some.map(recordOf))
        sent += some.length
      }
    }
  })
  printData(options.output, { topic, sent }, () => `sent ${count(sent)} records to ${topic}`)
}

const recordMaker = ({ key, header: pairs = [], base64 = false }: Options) => {
  const headers = Object.fromEntries(
    [...Map.groupBy(pairs, ([name]) => name)].map(([name, same]) => [name, same.map(([, value]) => value)]),
  )
  return (line: Buffer): OutgoingRecord => ({
    key: key ?? null,
    value: bytesOf(line, base64),
    headers,
  })
}

const bytesOf = (line: Buffer, base64: boolean): Buffer | null => {
  if (line.length === 4 && line.equals(Buffer.from('null'))) return null
  return base64 ? Buffer.from(line.toString('latin1'), 'base64') : line
}
