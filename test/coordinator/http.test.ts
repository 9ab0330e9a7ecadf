import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import type { CoordinatorStatus } from '../../coordinator/coordinator.ts'
import { type HttpServer, serveHttp } from '../../coordinator/http.ts'
import { loginLink } from '../../coordinator/login-link.ts'

const calm: CoordinatorStatus = {
  id: 'c',
  leading: true,
  term: 7,
  sees: true,
  waiting: {},
  plans: [],
  workers: [],
  idleMs: 100,
}

let server: HttpServer | undefined
afterEach(() => server?.close())

const get = async (path: string, status: Partial<CoordinatorStatus> = {}, method = 'GET') => {
  server = await serveHttp({ port: 0 }, () => ({ ...calm, ...status }))
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
  return { code: response.status, body: await response.json() }
}

describe('the HTTP server', () => {
  test('says that its loop turns, and that it hangs', async () => {
    expect(await get('/healthz')).toMatchObject({ code: 200 })
    await server?.close()
    expect(await get('/healthz', { idleMs: 60_000 })).toMatchObject({ code: 503 })
  })

  test('is ready while it sees the cluster, leading or not', async () => {
    expect(await get('/readyz', { leading: false })).toMatchObject({ code: 200 })
    await server?.close()
    expect(await get('/readyz', { sees: false })).toMatchObject({ code: 503 })
  })

  test('shows its status', async () => {
    expect(await get('/api/status?x=1')).toEqual({ code: 200, body: calm })
  })

  test('shows the orders in force with the plan that took them up', async () => {
    const plan = {
      ...{ version: 1, pipeline: 'p', epoch: 4, slots: 2, owners: ['a', null], leader: 'c' },
      orders: { seen: 9, pins: { 0: 'a' }, drains: ['b'], paused: [1] },
    }
    expect((await get('/api/status', { plans: [plan] })).body).toMatchObject({ plans: [plan] })
  })

  test.each(['/', '/toString', '/__proto__', '/api'])('has no other page: %s', async (path) => {
    expect(await get(path)).toMatchObject({ code: 404 })
  })

  test('takes GET only', async () => {
    expect(await get('/api/status', {}, 'POST')).toMatchObject({ code: 405 })
  })

  test('a taken port is one clear error', async () => {
    server = await serveHttp({ port: 0 }, () => calm)
    await expect(serveHttp({ port: server.port }, () => calm)).rejects.toMatchObject({ code: 'settings' })
  })
})

describe('who may come in', () => {
  const login = { token: 'a-token', user: 'ann', password: 'secret:with:colons' }
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  const ask = async (headers: Record<string, string>, path = '/api/status', method = 'GET') => {
    const { port } = server ?? { port: 0 }
    // fetch sets the Host header itself.
    const request = httpRequest({ port, path, headers, method })
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    return response
  }

  test.each([
    [{ authorization: 'Bearer a-token' }, 200],
    [{ authorization: basic('ann:secret:with:colons') }, 200],
    [{}, 401],
    [{ authorization: 'Bearer a-toke' }, 401],
    [{ authorization: 'Bearer ' }, 401],
    [{ authorization: basic('ann:') }, 401],
    [{ authorization: basic('bob:secret:with:colons') }, 401],
  ])('with a login set: %o is %i', async (headers, code) => {
    server = await serveHttp({ port: 0, login }, () => calm)
    for (const path of ['/healthz', '/api/status', '/nothing'])
      expect((await ask(headers, path)).statusCode === 401).toBe(code === 401)
    expect((await ask({})).headers['www-authenticate']).toMatch(/^Basic/)
  })

  test.each([
    ['127.0.0.1', 200],
    ['localhost:8400', 200],
    ['[::1]:80', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example', 403],
  ])('without one: asked for as %s is %i', async (host, code) => {
    server = await serveHttp({ port: 0 }, () => calm)
    expect((await ask({ host })).statusCode).toBe(code)
  })

  test('beyond loopback it listens with a login only, and a login is whole', async () => {
    const none = { token: '', user: '', password: '' }
    for (const host of ['0.0.0.0', '::', '10.0.0.1'])
      await expect(serveHttp({ port: 0, host }, () => calm)).rejects.toMatchObject({
        code: 'settings',
        remedy: expect.stringContaining('MILLRACE_HTTP_TOKEN'),
      })
    await expect(serveHttp({ port: 0, login: { ...none, user: 'ann' } }, () => calm)).rejects.toMatchObject({
      code: 'settings',
    })
    server = await serveHttp({ port: 0, host: '0.0.0.0', login: { ...none, token: 't' } }, () => calm)
    expect((await ask({ authorization: 'Bearer t', host: 'cluster.example' })).statusCode).toBe(200)
  })

  test('mounted pages are behind the same login', async () => {
    const pages = { '/queues': (_: unknown, response: ServerResponse) => void response.end('jobs') }
    server = await serveHttp({ port: 0, login, pages }, () => calm)
    expect((await ask({}, '/queues/x')).statusCode).toBe(401)
    expect((await ask({ authorization: 'Bearer a-token' }, '/queues/x')).statusCode).toBe(200)
    expect((await ask({ authorization: 'Bearer a-token' }, '/queuesx')).statusCode).toBe(404)
  })

  test('what changes something is asked for by its own pages only', async () => {
    const pages = { '/queues': (_: unknown, response: ServerResponse) => void response.end('done') }
    server = await serveHttp({ port: 0, pages }, () => calm)
    const host = `127.0.0.1:${server.port}`
    const put = async (origin: string, method = 'PUT') =>
      (await ask({ host, origin }, '/queues/x', method)).statusCode
    expect(await put(`http://${host}`)).toBe(200)
    for (const origin of ['http://evil.example', 'null', 'http://127.0.0.1:1']) {
      expect(await put(origin)).toBe(403)
      expect(await put(origin, 'GET')).toBe(200)
    }
  })
})

describe('the login link', () => {
  const token = 'a-token-with-+-and-/'
  const login = { token, user: '', password: '' }
  const open = async () => {
    server = await serveHttp({ port: 0, login, home: '/queues' }, () => calm)
    return server.url
  }
  const ask = (address: string, headers: Record<string, string> = {}) =>
    fetch(address, { headers, redirect: 'manual' })

  test('gives a browser a cookie that opens everything, and leads to the first page', async () => {
    const url = await open()
    const reply = await ask(loginLink(url, token))
    expect(reply.status).toBe(303)
    expect(reply.headers.get('location')).toBe('/queues')
    expect(reply.headers.get('referrer-policy')).toBe('no-referrer')
    const [cookie = '', ...marks] = reply.headers.get('set-cookie')?.split('; ') ?? []
    expect(marks).toEqual(['Path=/', 'HttpOnly', 'SameSite=Strict'])
    expect(cookie).not.toContain(token)
    expect((await ask(`${url}/api/status`, { cookie })).status).toBe(200)
    expect((await ask(`${url}/api/status`, { cookie: `other=1; ${cookie}; more=2` })).status).toBe(200)
  })

  test('behind TLS the cookie is for TLS only', async () => {
    const reply = await ask(loginLink(await open(), token), { 'x-forwarded-proto': 'https' })
    expect(reply.headers.get('set-cookie')).toMatch(/; Secure$/)
  })

  test.each(['', '?token=', '?token=a-token', `?token=${encodeURIComponent(`${token}x`)}`, '?Token=a-token'])(
    'with another token there is none: /login%s',
    async (query) => {
      const reply = await ask(`${await open()}/login${query}`)
      expect(reply.status).toBe(401)
      expect(reply.headers.get('set-cookie')).toBeNull()
      // A browser would ask for a name and a password, and there are none.
      expect(reply.headers.get('www-authenticate')).toBe('Bearer realm="millrace"')
      expect(await reply.text()).toContain('/login?token=')
    },
  )

  test.each(['millrace=1', 'millrace-00000000=00', `token=${token}`, token, ''])(
    'another cookie opens nothing: %s',
    async (cookie) => expect((await ask(`${await open()}/api/status`, { cookie })).status).toBe(401),
  )

  test('one token is one cookie on every coordinator; a new one ends the old', async () => {
    const cookieOf = async (secret: string) => {
      server = await serveHttp({ port: 0, login: { ...login, token: secret } }, () => calm)
      const reply = await ask(loginLink(server.url, secret))
      await server.close()
      return reply.headers.get('set-cookie')?.split(';')[0] ?? ''
    }
    const [first, again, other] = [await cookieOf('one'), await cookieOf('one'), await cookieOf('two')]
    expect(again).toBe(first)
    expect(other.split('=')[0]).not.toBe(first.split('=')[0])
    expect((await ask(`${await open()}/api/status`, { cookie: first })).status).toBe(401)
  })

  test('without a token there is no such page', async () => {
    server = await serveHttp({ port: 0 }, () => calm)
    expect((await ask(`${server.url}/login?token=`)).status).toBe(404)
  })

  test('an address that means all of them is told as one to go to', async () => {
    server = await serveHttp({ port: 0, host: '0.0.0.0', login }, () => calm)
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`)
  })
})
