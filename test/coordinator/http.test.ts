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
  server = await serveHttp(0, () => ({ ...calm, ...status }))
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
    server = await serveHttp(0, () => calm)
    await expect(serveHttp(server.port, () => calm)).rejects.toMatchObject({ code: 'settings' })
  })
})
