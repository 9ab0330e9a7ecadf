import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import type { CoordinatorStatus } from '../../coordinator/coordinator.ts'
import { type HttpServer, serveHttp } from '../../coordinator/http.ts'

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
