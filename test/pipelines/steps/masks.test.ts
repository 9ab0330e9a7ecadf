import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  maskAllButLast4,
  maskAllButLastGroup,
  maskIp,
  maskIpv4,
  maskLastGroup,
} from '../../../pipelines/steps/masks.ts'

/** All eight groups, by another way than the mask's: the URL parser's canonical form, expanded. */
const groupsOf = (ip: string): number[] => {
  const host = new URL(`http://[${ip}]`).hostname.slice(1, -1)
  const [head = '', tail] = host.split('::')
  const parse = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [left, right] = [parse(head), parse(tail ?? '')]
  return [
    ...left,
    ...Array<number>(tail === undefined ? 0 : 8 - left.length - right.length).fill(0),
    ...right,
  ]
}

test('IPv4: the first two numbers stay, nothing else', () => {
  fc.assert(
    fc.property(fc.ipV4(), (ip) => {
      const [a, b] = ip.split('.')
      expect(maskIp(ip)).toBe(`${a}.${b}.*.*`)
      expect(maskIpv4(ip)).toBe(maskIp(ip))
    }),
  )
})

test('IPv6: the first two of the eight groups stay, however the address is written', () => {
  fc.assert(
    fc.property(fc.ipV6(), (ip) => {
      const [first = '', second = '', ...rest] = maskIp(ip).split(':')
      expect([first, second].map((group) => Number.parseInt(group, 16))).toEqual(groupsOf(ip).slice(0, 2))
      expect(rest).toEqual(Array(6).fill('*'))
    }),
  )
})

test('what is no address is masked whole', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom('1.2.3', '1.2.3.4.5', ':', '1::2::3')), (text) => {
      fc.pre(isIP(text) === 0)
      expect(maskIp(text)).toBe('*')
    }),
  )
})

test('the last four characters stay; of four or fewer none', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const characters = [...text]
      const shown = characters.length > 4 ? characters.slice(-4).join('') : ''
      const masked = maskAllButLast4(text)
      expect(masked.endsWith(shown)).toBe(true)
      expect(masked.slice(0, masked.length - shown.length)).toMatch(/^\**$/)
      expect(masked).toHaveLength(text.length)
    }),
  )
  expect(maskAllButLast4('x'.repeat(1000))).toBe(`${'*'.repeat(996)}xxxx`)
})

test('the last group is hidden, what stands before it stays', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
      const masked = maskLastGroup(ip)
      const [kept = '', hidden = ''] = masked.split(/(?<=[.:])(?=x+$)/)
      expect(hidden).toBe(ip.includes(':') ? 'xxxx' : 'xxx')
      expect(ip.startsWith(kept)).toBe(true)
      expect(ip.slice(kept.length)).not.toContain(':')
    }),
  )
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      fc.pre(isIP(text) === 0)
      expect(maskLastGroup(text)).toBe('xxx')
    }),
  )
})

test('of the groups that dashes part the last one stays; without a dash nothing', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (head, tail) => {
      fc.pre(!tail.includes('-'))
      expect(maskAllButLastGroup(`${head}-${tail}`)).toBe(`****-**-${tail}`)
      expect(maskAllButLastGroup(tail)).toBe('****')
    }),
  )
})
