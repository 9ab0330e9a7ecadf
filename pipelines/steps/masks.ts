/** Masks of the shipped pipelines. What does not look as expected is masked whole: a mask never lets a value through. */
import { isIP, isIPv4 } from 'node:net'

const HIDDEN = '*'
const IPV6_REST = ':*:*:*:*:*:*'

/** `a.b.*.*` */
export const maskIpv4 = (ip: string): string => {
  const second = ip.indexOf('.', ip.indexOf('.') + 1)
  return second > 0 ? `${ip.slice(0, second)}.*.*` : HIDDEN
}

/** IPv4: `a.b.*.*`; IPv6: the first two of the eight groups stay, `a:b:*:*:*:*:*:*`. */
export const maskIp = (ip: string): string => {
  if (!ip.includes(':')) return isIPv4(ip) ? maskIpv4(ip) : HIDDEN
  return isIP(ip) === 6 ? `${firstGroups(ip)}${IPV6_REST}` : HIDDEN
}

/** IPv4: `a.b.c.xxx`; IPv6: what stands behind the last colon becomes `xxxx`, so of `::ffff:1.2.3.4` nothing is seen. */
export const maskLastGroup = (ip: string): string => {
  if (isIPv4(ip)) return `${ip.slice(0, ip.lastIndexOf('.'))}.xxx`
  if (isIP(ip) === 6) return `${ip.slice(0, ip.lastIndexOf(':'))}:xxxx`
  return ip === '' ? ip : 'xxx'
}

/** The first two groups of an IPv6 address; `::` stands for as many zeros as are missing. */
const firstGroups = (ip: string): string => {
  const gap = ip.indexOf('::')
  const head = (gap < 0 ? ip : ip.slice(0, gap)).split(':').filter(Boolean)
  const tail =
    gap < 0
      ? []
      : ip
          .slice(gap + 2)
          .split(':')
          .filter(Boolean)
  const embeddedIpv4 = tail.at(-1)?.includes('.') ? 1 : 0
  const zeros = 8 - head.length - tail.length - embeddedIpv4
  const [first = '0', second = '0'] = [...head, ...(gap < 0 ? [] : Array<string>(zeros).fill('0')), ...tail]
  return `${first}:${second}`
}

const ready = Array.from({ length: 257 }, (_, count) => HIDDEN.repeat(count))
const stars = (count: number): string => ready[count] ?? HIDDEN.repeat(count)

/** `****-**-` and the last of the groups that dashes part; without a dash nothing is shown, not even the length. */
export const maskAllButLastGroup = (text: string): string => {
  const dash = text.lastIndexOf('-')
  return dash < 0 ? '****' : `****-**-${text.slice(dash + 1)}`
}

/** The last four characters stay; of four or fewer none. */
export const maskAllButLast4 = (text: string): string => {
  let cut = text.length
  for (let kept = 0; kept < 4 && cut > 0; kept++) cut -= isPair(text, cut) ? 2 : 1
  return cut > 0 ? stars(cut) + text.slice(cut) : stars(text.length)
}

/** A character outside the basic plane ends here: it is two units long. */
const isPair = (text: string, end: number): boolean => {
  const low = text.charCodeAt(end - 1)
  if (low < 0xdc00 || low > 0xdfff || end < 2) return false
  const high = text.charCodeAt(end - 2)
  return high >= 0xd800 && high <= 0xdbff
}
