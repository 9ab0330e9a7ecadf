/** Customers for a try: `nobody...` is unknown, `busy...` fails twice before it answers, all others have a tier. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const FAILURES = 2

/** @param port 0 takes a free one */
export const serveCustomers = async (port: number) => {
  const failed = new Map<string, number>()
  const answerTo = (id: string): readonly [status: number, body: object] => {
    const before = failed.get(id) ?? 0
    if (id.startsWith('nobody')) return [404, {}]
    if (!id.startsWith('busy') || before >= FAILURES) return [200, { tier: id.length > 2 ? 'gold' : 'plain' }]
    failed.set(id, before + 1)
    return [503, {}]
  }
  const server = createServer(({ url = '' }, response) => {
    const [status, body] = answerTo(new URL(url, 'http://localhost').searchParams.get('id') ?? '')
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/customers`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

if (import.meta.main) {
  const { url } = await serveCustomers(8080)
  process.stdout.write(`${url}?id=c1\n`)
}
