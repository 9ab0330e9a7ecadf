/**
 * The login link: `/login?token=...` gives a browser the cookie that stands for the token and sends it on to the first page.
 * Law: the token is compared in constant time, and stays in no history but that of whoever typed it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isOneOf, sessionCookie } from './login.ts'

export const LOGIN_PATH = '/login'

/** @param url of the HTTP server */
export const loginLink = (url: string, token: string): string =>
  `${url}${LOGIN_PATH}?token=${encodeURIComponent(token)}`

/** Whether the request carries the token; the answer is written where it does. */
export const logIn = (
  { token, home }: { readonly token: string; readonly home: string },
  request: IncomingMessage,
  response: ServerResponse,
): boolean => {
  const shown = new URLSearchParams(request.url?.split('?')[1]).get('token') ?? ''
  if (token === '' || !isOneOf([token], shown)) return false
  // Who ends TLS in front of us says so; over plain HTTP a browser would refuse a cookie that is for TLS only.
  const secure = request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : ''
  response.writeHead(303, {
    location: home,
    'set-cookie': `${sessionCookie(token)}; Path=/; HttpOnly; SameSite=Strict${secure}`,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  })
  response.end()
  return true
}
