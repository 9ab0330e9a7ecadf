/**
 * Free loopback ports. They are taken below the range from which systems hand out ephemeral ports (32768 and up on Linux,
 * 49152 elsewhere): between our look and the service's bind no outgoing connection can take them.
 */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

export const LOOPBACK = '127.0.0.1'
const LOWEST = 12_000
const HIGHEST = 32_000

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, LOOPBACK, () => server.close(() => resolve(true)))
  })

export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST)
    if (await isFree(port)) return port
  }
}

export const freePorts = async (count: number): Promise<readonly number[]> => {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

/** The wished ones where they are free, else free ones. */
export const portsLike = (wished: readonly number[]): Promise<readonly number[]> =>
  Promise.all(wished.map(async (port) => ((await isFree(port)) ? port : freePort())))
