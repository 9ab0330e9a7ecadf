/**
 * What the plain loop does with one record: the work of the pipeline `bench-login`, written by hand as a competent user
 * would. Masks and times are the shipped ones, so that neither side has the faster helper. `test/bench` holds its
 * outputs equal to the pipeline's.
 */
import { isIPv4 } from 'node:net'
import { maskAllButLast4, maskIpv4 } from '../pipelines/steps/masks.ts'
import { isoTime, LAST_SECOND } from '../pipelines/steps/time.ts'

export interface BenchLogin {
  user_id: string
  app_version: string
  device_type: string
  ip: string
  locale: string
  device_id: string
  timestamp: number
  login_time?: string
  processed_at?: string
  latency_ms?: number
}

/** The output, or the code of the dead letter. */
export type Handled = { readonly login: BenchLogin; readonly json: string } | { readonly code: string }

const TEXTS = ['user_id', 'app_version', 'device_type', 'locale', 'device_id'] as const

/** @param now epoch ms of processing */
export const handle = (value: Buffer | null, now: number): Handled => {
  if (value === null) return { code: 'tombstone' }
  let login: BenchLogin
  try {
    login = JSON.parse(value.toString()) as BenchLogin
  } catch {
    return { code: 'not-json' }
  }
  if (typeof login !== 'object' || login === null || Array.isArray(login)) return { code: 'not-an-object' }
  if (login.device_type === undefined) login.device_type = 'unknown'
  const misfit = misfitOf(login)
  if (misfit !== undefined) return { code: `schema:${misfit}` }
  const time = login.timestamp * 1000
  login.login_time = isoTime(time)
  login.processed_at = isoTime(now)
  login.latency_ms = now - time
  login.ip = maskIpv4(login.ip)
  login.device_id = maskAllButLast4(login.device_id)
  return { login, json: JSON.stringify(login) }
}

const misfitOf = (login: BenchLogin): string | undefined => {
  for (const field of TEXTS) {
    const text: unknown = login[field]
    if (typeof text !== 'string' || text.length === 0) return field
  }
  if (typeof login.ip !== 'string' || !isIPv4(login.ip)) return 'ip'
  const { timestamp } = login
  return Number.isInteger(timestamp) && timestamp > 0 && timestamp <= LAST_SECOND ? undefined : 'timestamp'
}

export type Counts = Record<string, number>

const HOUR = 3_600_000

/** Per hour of event time: logins in all, by device type, by locale. */
export class LoginCounts {
  readonly #hours = new Map<number, Record<'device_type' | 'locale', Map<string, number>>>()

  add(login: BenchLogin): void {
    const hour = Math.floor((login.timestamp * 1000) / HOUR)
    let counted = this.#hours.get(hour)
    if (counted === undefined) {
      counted = { device_type: new Map(), locale: new Map() }
      this.#hours.set(hour, counted)
    }
    const { device_type, locale } = counted
    device_type.set(login.device_type, (device_type.get(login.device_type) ?? 0) + 1)
    locale.set(login.locale, (locale.get(login.locale) ?? 0) + 1)
  }

  /** Over all hours. */
  total(field: 'device_type' | 'locale'): Counts {
    const sum: Counts = {}
    for (const counted of this.#hours.values())
      for (const [label, count] of counted[field]) sum[label] = (sum[label] ?? 0) + count
    return sum
  }
}
