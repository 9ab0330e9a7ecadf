/**
 * Made-up user logins, for the demo, the bench and the tests. Law: the same seed and the same `now` give the same records.
 * A good record is what the pipelines `user-login` and `bench-login` accept; a corrupt one never is.
 */
import { type Random, seededRandom } from './random.ts'

export type Keys = 'uniform' | 'zipf'

export interface GeneratorOptions {
  readonly seed: number
  /** Share of the good records without `device_type`. */
  readonly missing?: number
  /** Share of all records that can never be processed. */
  readonly corrupt?: number
  /** `uniform`: every key is new. `zipf`: 10,000 keys, the nth as frequent as 1/n, so that some partitions are hot. */
  readonly keys?: Keys
  /** Epoch ms. */
  readonly now?: () => number
}

export interface Generated {
  readonly key: string
  readonly value: Buffer
  readonly kind: 'good' | 'missing' | 'corrupt'
}

export interface Generator {
  next(): Generated
}

const states =
  'AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY'
const locales = states.split(' ') as [string, ...string[]]

interface Login {
  readonly user_id: string
  readonly app_version: string
  readonly device_type?: string
  readonly ip: string
  readonly locale: string
  readonly device_id: string
  readonly timestamp: number
}

export const createGenerator = (options: GeneratorOptions): Generator => {
  const { seed, missing = 0.05, corrupt = 0, keys = 'uniform', now = Date.now } = options
  const random = seededRandom(seed)
  const nextKey = keys === 'zipf' ? zipfKeys(random) : random.uuid
  return {
    next: () => {
      const key = nextKey()
      const bad = random.unit() < corrupt
      const bare = random.unit() < missing
      const login = makeLogin(random, bare, Math.floor(now() / 1000))
      if (bad) return { key, value: random.pick(corruptions)(login), kind: 'corrupt' }
      return { key, value: json(login), kind: bare ? 'missing' : 'good' }
    },
  }
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

const makeLogin = (random: Random, bare: boolean, timestamp: number): Login => {
  const user = random.uuid()
  const device = random.pick(['android', 'iOS'])
  const address = random.bits()
  return {
    user_id: user,
    app_version: '2.3.0',
    ...(bare ? {} : { device_type: device }),
    ip: `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`,
    locale: random.pick(locales),
    device_id: random.uuid(),
    timestamp,
  }
}

/** Every way a record is beyond repair: not JSON, not UTF-8, not an object, a wrong type, a field missing, empty. */
const corruptions: readonly [(login: Login) => Buffer, ...((login: Login) => Buffer)[]] = [
  (login) => json(login).subarray(0, 40),
  (login) => Buffer.concat([json(login).subarray(0, -2), Buffer.from([0xc3, 0x28, 0x22, 0x7d])]),
  (login) => json([login]),
  (login) => json({ ...login, user_id: 4711 }),
  (login) => json({ ...login, timestamp: 'yesterday' }),
  (login) => json({ ...login, ip: '999.1.2.3' }),
  ({ user_id: _, ...login }) => json(login),
  ({ timestamp: _, ...login }) => json(login),
  (login) => Buffer.from(`{"user_id":NaN,"locale":"${login.locale}"}`),
  () => Buffer.alloc(0),
]

const POPULATION = 10_000

const zipfKeys = (random: Random): (() => string) => {
  const keys = Array.from({ length: POPULATION }, () => random.uuid())
  const upTo = new Float64Array(POPULATION)
  let sum = 0
  for (let rank = 0; rank < POPULATION; rank++) {
    sum += 1 / (rank + 1)
    upTo[rank] = sum
  }
  return () => keys[firstAbove(upTo, random.unit() * sum)] ?? ''
}

/** Index of the first element above the value, in ascending elements. */
const firstAbove = (ascending: Float64Array, value: number): number => {
  let [low, high] = [0, ascending.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ascending[middle] ?? 0) > value) high = middle
    else low = middle + 1
  }
  return low
}
