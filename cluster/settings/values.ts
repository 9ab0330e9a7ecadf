/** The kinds of values a setting can have: how its text is read, and how the documentation and `millrace settings` show it. */
export interface Kind<T> {
  /** @throws Error that says what was expected. */
  readonly parse: (text: string) => T
  readonly doc: string
  readonly show: (value: T) => string
}

const shown = (value: unknown): string => (value === undefined ? '' : String(value))
const kind = <T>(doc: string, parse: (text: string) => T, show: (value: T) => string = shown): Kind<T> => ({
  doc,
  parse,
  show,
})

const matching = (text: string, pattern: RegExp, expected: string): string => {
  if (!pattern.test(text)) throw new Error(`expected ${expected}`)
  return text
}

export const text = kind('text', (value) => value)
export const path = kind('path', (value) => value)
export const optionalPath = kind<string | undefined>('path', (value) => value)
export const optionalText = kind<string | undefined>('text', (value) => value)
export const word = kind('name', (value) =>
  matching(value, /^[\w.-]+$/, 'letters, digits, dots, dashes and underscores'),
)

/** kafkajs splits at the first colon, so an IPv6 address needs a name. */
const address = /^([^\s:,/@[\]]+):(\d{1,5})$/
const checkAddress = (value: string): string => {
  const port = Number(address.exec(value)?.[2] ?? 0)
  if (port < 1 || port > 65535) throw new Error('expected host:port, several separated by commas')
  return value
}
const addressesOf = (value: string): readonly string[] =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
    .map(checkAddress)
export const addresses = kind<readonly string[]>('host:port,host:port', addressesOf, (value) =>
  value.join(','),
)

export const redisAddress = kind('redis:// or rediss:// URL', (value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '')
    throw new Error('expected redis://host:port or rediss://host:port')
  return value
})

const checkHttp = (value: string): string => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new Error('expected http://host:port or https://host:port, several separated by commas')
  return value
}
export const httpAddresses = kind<readonly string[]>(
  'http:// or https:// URLs',
  (value) => value.split(',').map((item) => checkHttp(item.trim())),
  (value) => value.join(','),
)

export const optionalHttpAddress = kind<string | undefined>('http:// or https:// URL', (value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new Error('expected an address such as https://host/path')
  return value
})

export const flag = kind('true or false', (value) => {
  if (['true', '1', 'yes', 'on'].includes(value.toLowerCase())) return true
  if (['false', '0', 'no', 'off'].includes(value.toLowerCase())) return false
  throw new Error('expected true or false')
})

export const oneOf = <T extends string>(...allowed: readonly T[]): Kind<T> =>
  kind(allowed.join(', '), (value) => {
    const found = allowed.find((item) => item === value)
    if (found === undefined) throw new Error(`expected one of ${allowed.join(', ')}`)
    return found
  })

export const integer = (min: number, max: number): Kind<number> =>
  kind(`${min} to ${max}`, (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
    if (Number.isNaN(number) || number < min || number > max)
      throw new Error(`expected a whole number from ${min} to ${max}`)
    return number
  })
export const optionalInteger = (min: number, max: number): Kind<number | undefined> => ({
  ...integer(min, max),
  show: shown,
})

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
/** Node's timers wrap around above this. */
const LONGEST = 2 ** 31 - 1
/** `500ms`, `60s`, `5m`, `1h`, or a bare number of milliseconds. */
export const parseDuration = (value: string): number => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value.trim())
  if (match === null) throw new Error('expected a duration such as 500ms, 60s or 5m')
  const ms = Math.round(Number(match[1]) * (units[match[2] ?? 'ms'] ?? 1))
  if (ms > LONGEST) throw new Error('expected at most 24 days')
  return ms
}
const showDuration = (ms: number): string => {
  const unit = ['h', 'm', 's'].find((name) => ms > 0 && ms % (units[name] ?? 1) === 0) ?? 'ms'
  return `${ms / (units[unit] ?? 1)}${unit}`
}
export const duration = (min = 0): Kind<number> =>
  kind(
    'duration',
    (value) => {
      const ms = parseDuration(value)
      if (ms < min) throw new Error(`expected at least ${showDuration(min)}`)
      return ms
    },
    showDuration,
  )

const sizes: Readonly<Record<string, number>> = { b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }
/** Kafka's sizes are 32-bit. */
const LARGEST = 2 ** 31 - 1
const parseSize = (value: string): number => {
  const match = /^(\d+)\s*(b|kib|mib|gib)?$/i.exec(value.trim())
  const size = Number(match?.[1]) * (sizes[(match?.[2] ?? 'b').toLowerCase()] ?? 1)
  if (match === null || size < 1 || size > LARGEST)
    throw new Error('expected a size below 2GiB such as 65536, 64KiB or 16MiB')
  return size
}
const showSize = (value: number): string => {
  const unit = (['MiB', 'KiB'] as const).find((name) => value % (sizes[name.toLowerCase()] ?? 1) === 0)
  return unit === undefined ? String(value) : `${value / (sizes[unit.toLowerCase()] ?? 1)}${unit}`
}
export const size = kind('size', parseSize, showSize)

export const share = kind('0 to 1', (value) => {
  const number = /^\d*\.?\d+$/.test(value) ? Number(value) : Number.NaN
  if (!(number <= 1)) throw new Error('expected a share from 0 to 1')
  return number
})

const FAILURES = ['retry', 'dead', 'slow'] as const
/** Share of the records that are made to fail, by kind. */
export type Failures = Readonly<Partial<Record<(typeof FAILURES)[number], number>>>

const failureOf = (item: string): readonly [string, number] => {
  const [name = '', portion = ''] = item.split('=')
  if (!FAILURES.some((known) => known === name))
    throw new Error(`expected ${FAILURES.join(', ')} with a share each, such as retry=0.02,dead=0.01`)
  return [name, share.parse(portion)]
}
/** `retry=0.02,dead=0.01,slow=0.001` */
export const failures = kind<Failures>(
  'kind=share,kind=share',
  (value) => Object.fromEntries(value.split(',').map(failureOf)),
  (value) =>
    Object.entries(value)
      .map(([name, portion]) => `${name}=${portion}`)
      .join(','),
)
