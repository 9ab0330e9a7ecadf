/** What counts as an IP address. */
import { isIP } from 'node:net'

/** IPv4 or IPv6. A zone (`fe80::1%eth0`) means something on one machine only. */
export const isAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes('%')
