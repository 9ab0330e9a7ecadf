/** Addresses as 16 bytes, so that both families are compared in one way: IPv4 is `::ffff:a.b.c.d`. */
import { isIP } from 'node:net'

export const ADDRESS_BYTES = 16
const IPV4_PREFIX = Buffer.from('00000000000000000000ffff', 'hex')

/** Undefined where the text is no address. A zone (`fe80::1%eth0`) means something on one machine only. */
export const bytesOf = (text: string): Buffer | undefined => {
  const family = text.includes('%') ? 0 : isIP(text)
  if (family === 0) return undefined
  return family === 4 ? Buffer.concat([IPV4_PREFIX, ipv4(text)]) : ipv6(text)
}

const ipv4 = (text: string): Buffer => Buffer.from(text.split('.').map(Number))

/** `::` stands for as many zeros as are missing; the last four bytes may be written as IPv4. */
const ipv6 = (text: string): Buffer => {
  const [head = '', tail] = text.split('::')
  const [before, after] = [groups(head), groups(tail ?? '')]
  return Buffer.concat([before, Buffer.alloc(ADDRESS_BYTES - before.length - after.length), after])
}

const groups = (text: string): Buffer =>
  Buffer.concat(
    text
      .split(':')
      .filter((group) => group !== '')
      .map((group) => (group.includes('.') ? ipv4(group) : Buffer.from(group.padStart(4, '0'), 'hex'))),
  )
