/**
 * Free loopback ports. They are taken below the range from which systems hand out ephemeral ports (32768 and up on Linux,
 * 49152 elsewhere): between our look and the service's bind no outgoing connection can take them. A port that was given out stays
 * its owner's while the service on it is down: each process holds the UDP port of the same number for as long as it lives, and
 * gives out only what it could hold.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
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

/** @returns false where a process, this one too, holds it already */
const hold = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4').unref()
    socket.once('error', () => socket.close(() => resolve(false)))
    socket.bind({ port, address: LOOPBACK, exclusive: true }, () => resolve(true))
  })

const isOurs = async (port: number): Promise<boolean> => (await hold(port)) && (await isFree(port))

export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST)
    if (await isOurs(port)) return port
  }
}

export const freePorts = (count: number): Promise<readonly number[]> =>
  Promise.all(Array.from({ length: count }, freePort))

/** The wished ones where they are free, else free ones. */
export const portsLike = (wished: readonly number[]): Promise<readonly number[]> =>
  Promise.all(wished.map(async (port) => ((await isOurs(port)) ? port : freePort())))
