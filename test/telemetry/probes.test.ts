import { expect, test } from 'vitest'
import { serveProbes, type Verdict } from '../../telemetry/probes.ts'

const fine: Verdict = { ok: true, why: '' }
const HOST = '127.0.0.1'

test('health, readiness and metrics are told without a login; nothing else is', async () => {
  let ready: Verdict = { ok: false, why: 'slot 3 is claiming' }
  const server = await serveProbes({
    ...{ host: HOST, port: 0, metrics: (_, response) => response.end('m 1\n') },
    probes: { healthy: () => fine, ready: () => ready },
  })
  const ask = async (path: string, method = 'GET') => {
    const reply = await fetch(`http://${HOST}:${server.port}${path}`, { method })
    return [reply.status, (await reply.text()).trim()]
  }
  expect(await ask('/healthz')).toEqual([200, 'ok'])
  expect(await ask('/readyz')).toEqual([503, 'slot 3 is claiming'])
  ready = fine
  expect(await ask('/readyz')).toEqual([200, 'ok'])
  expect(await ask('/metrics?x=1')).toEqual([200, 'm 1'])
  expect((await ask('/api/status'))[0]).toBe(404)
  expect((await ask('/metrics', 'POST'))[0]).toBe(405)
  await server.close()
})

test.each([
  [
    'a port that is taken',
    async () => {
      const first = await serveProbes({
        host: HOST,
        port: 0,
        probes: { healthy: () => fine, ready: () => fine },
      })
      return { port: first.port, close: () => first.close() }
    },
  ],
  ['a port beyond the last', async () => ({ port: 65_536, close: async () => undefined })],
])('%s: one line with the remedy', async (_, taken) => {
  const { port, close } = await taken()
  const opening = serveProbes({ host: HOST, port, probes: { healthy: () => fine, ready: () => fine } })
  await expect(opening).rejects.toMatchObject({
    code: 'settings',
    remedy: expect.stringContaining('METRICS_PORT'),
  })
  await close()
})
