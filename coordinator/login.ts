/**
 * Who may see what the coordinator serves: anybody on loopback, or whoever shows the token or the user and password of the
 * settings, once there are any. Then everything needs them, health included. A browser shows a token as the cookie that
 * the login link gave it (login-link.ts).
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { MillraceError } from '../cluster/errors.ts'

export interface Login {
  /** Empty: none. */
  readonly token: string
  readonly user: string
  readonly password: string
}

export interface Asked {
  readonly authorization: string | undefined
  readonly cookie?: string | undefined
  /** The Host header. */
  readonly host: string | undefined
}

export type Gate = (asked: Asked) => 'open' | 'login' | 'forbidden'

/** @throws MillraceError `settings` where anybody beyond this machine could come in */
export const gateOf = (address: string, { token, user, password }: Login): Gate => {
  if ((user === '') !== (password === ''))
    throw new MillraceError('settings', 'a login needs both MILLRACE_HTTP_USER and MILLRACE_HTTP_PASSWORD')
  const basic = password === '' ? '' : Buffer.from(`${user}:${password}`).toString('base64')
  const accepted = [token && `Bearer ${token}`, basic && `Basic ${basic}`].filter((one) => one !== '')
  const session = token === '' ? [] : [sessionCookie(token)]
  if (accepted.length > 0)
    return ({ authorization = '', cookie = '' }) => {
      const shown = cookie.split(';').map((one) => isOneOf(session, one.trim()))
      return isOneOf(accepted, authorization) || shown.includes(true) ? 'open' : 'login'
    }
  if (!isLoopback(address))
    throw new MillraceError(
      'settings',
      `MILLRACE_HTTP_HOST ${address} is open to other machines without a login`,
      {
        remedy:
          'set MILLRACE_HTTP_TOKEN or MILLRACE_HTTP_TOKEN_PATH, or MILLRACE_HTTP_USER and MILLRACE_HTTP_PASSWORD',
      },
    )
  // A page of the web may name this machine by a name of its own (DNS rebinding): its browser then says that name here.
  return ({ host }) => (host !== undefined && isLoopback(nameOf(host)) ? 'open' : 'forbidden')
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * `name=value` of the cookie that stands for a token: not the token itself, the same on every coordinator and after every restart.
 * A browser keeps cookies by host, not by port, so another installation's has another name.
 */
export const sessionCookie = (token: string): string => {
  const session = digest(`millrace session ${token}`).toString('hex')
  return `millrace-${session.slice(0, 8)}=${session.slice(8)}`
}

/** In constant time, whatever is tried: neither length nor place of the first difference shows. */
export const isOneOf = (accepted: readonly string[], tried: string): boolean => {
  const given = digest(tried)
  return accepted.map((one) => timingSafeEqual(digest(one), given)).includes(true)
}

/** Without the port and the brackets of an IPv6 address. */
const nameOf = (host: string): string => host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')

export const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))
