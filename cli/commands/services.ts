import { Command } from 'commander'
import { readSettings } from '../../cluster/settings.ts'
import { LOCAL } from '../connect.ts'
import { note, outputOption, print } from '../output.ts'
import {
  addressesOf,
  ensureServices,
  findServices,
  type Services,
  stopServices,
} from '../services/services.ts'

interface Options {
  readonly name: string
  readonly output: 'text' | 'json'
  readonly json?: boolean
  readonly yes?: boolean
  readonly native?: boolean
}

export const servicesCommand = (): Command =>
  new Command('services')
    .description('Start, stop or show the local Kafka and Redis that commands use when no address is set.')
    .addCommand(
      shared('up', 'start them and leave them running; prints their addresses')
        .option('-y, --yes', 'install missing system packages without asking')
        .option('--native', 'leave Docker out')
        .action(up),
    )
    .addCommand(shared('down', 'stop them; their data stays').action(down))
    .addCommand(shared('status', 'show what runs').action(status))

const shared = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .option('--name <name>', 'keeps several apart', LOCAL)
    .addOption(outputOption())
    .option('--json', 'the same as -o json')

const up = async (options: Options): Promise<void> => {
  const settings = readSettings(process.env)
  const services = await ensureServices(settings, { ...options, keep: true, log: note })
  show(options, services)
}

const down = async (options: Options): Promise<void> => {
  const settings = readSettings(process.env)
  const stopped = await stopServices(settings, { name: options.name })
  if (isJson(options)) print(JSON.stringify({ stopped }))
  else print(stopped ? 'stopped; the data stays' : 'nothing runs')
}

const status = async (options: Options): Promise<void> => {
  const settings = readSettings(process.env)
  show(options, await findServices(settings, { name: options.name }))
}

const isJson = (options: Options): boolean => options.json === true || options.output === 'json'

/** What a person pastes into a shell, or a program reads. A password in the address of Redis is for the settings alone. */
const show = (options: Options, services: Services | undefined): void => {
  if (isJson(options)) {
    print(
      JSON.stringify(services === undefined ? { running: false } : { running: true, ...dataOf(services) }),
    )
    return
  }
  if (services === undefined) {
    print('nothing runs; start them with `millrace services up`')
    return
  }
  print(`MILLRACE_KAFKA_BROKERS=${services.kafka.join(',')}`)
  const { home } = addressesOf(services)
  if (home.length > 0) print(`MILLRACE_HOME_BROKERS=${home.join(',')}`)
  print(`MILLRACE_REDIS_URL=${withoutPassword(services.redis)}`)
}

const dataOf = (services: Services) => ({
  kind: services.kind,
  kafka: services.kafka,
  home: services.home,
  redis: withoutPassword(services.redis),
  processes: services.kind === 'native' ? services.processes.map(({ name, pid }) => ({ name, pid })) : [],
})

const withoutPassword = (address: string): string => {
  const url = new URL(address)
  if (url.password !== '') url.password = '***'
  return url.href.replace(/\/$/, '')
}
