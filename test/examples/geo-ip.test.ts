import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { bytesOf } from '../../examples/geo-ip/address.ts'
import { pipeline } from '../../examples/geo-ip/pipeline.ts'
import { rangesIn } from '../../examples/geo-ip/ranges.ts'
import { run } from '../../pipelines/testing.ts'

const CSV = `
1.0.0.0,1.0.0.255,AU
"223.0.0.0","223.0.0.0","JP"
2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,NL
10.0.0.0 , 10.255.255.255 , ZZ
`
const database = async (csv: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-geo-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'ranges.csv')
  await writeFile(path, csv)
  return path
}
const countriesOf = async (ips: readonly string[], path: string) => {
  const visits = ips.map((ip) => ({ page: '/', ip }))
  const { outcomes } = await run(pipeline, visits, { options: { database: path } })
  return outcomes.map((outcome) => (outcome.outcome === 'done' ? outcome.value.country : outcome.code))
}

test.each([
  ['1.0.0.0', 'AU'],
  ['1.0.0.255', 'AU'],
  ['1.0.1.0', 'unknown'],
  ['0.255.255.255', 'unknown'],
  ['0.0.0.0', 'unknown'],
  ['223.0.0.0', 'JP'],
  ['223.0.0.1', 'unknown'],
  ['255.255.255.255', 'unknown'],
  ['10.20.30.40', 'ZZ'],
  ['::ffff:10.20.30.40', 'ZZ'],
  ['::ffff:a14:1e28', 'ZZ'],
  ['2001:db8::1', 'NL'],
  ['2001:DB8:ffff:ffff:ffff:ffff:ffff:ffff', 'NL'],
  ['2001:db9::', 'unknown'],
  ['::', 'unknown'],
  ['10.20.30', 'schema:ip'],
  ['fe80::1%eth0', 'schema:ip'],
  ['', 'schema:ip'],
])('%s is of %s', async (ip, country) => {
  expect(await countriesOf([ip], await database(CSV))).toEqual([country])
})

test('without a database every country is unknown, and the address is left out all the same', async () => {
  const { outcomes, aggregates } = await run(pipeline, [{ page: '/', ip: '1.0.0.0', more: 1 }], {
    timestamp: 0,
  })
  expect(outcomes).toEqual([{ outcome: 'done', value: { page: '/', more: 1, country: 'unknown' } }])
  expect(aggregates).toEqual({ visits_by_country: { '1970-01-01T00:00:00.000Z': { unknown: 1 } } })
})

test.each([
  ['1.0.0.0,1.0.0.255,AU\n1.0.1.0;1.0.1.255;AU', 'line 2 of the database is not first,last,country'],
  ['1.0.0.9,1.0.0.0,AU', 'line 1 of the database is not first,last,country'],
  ['1.0.0.0,1.0.0.9,', 'line 1 of the database is not first,last,country'],
  ['1.0.0.9,1.0.0.20,AU\n\n1.0.0.0,1.0.0.9,NZ', 'lines 1 and 3 of the database overlap'],
])('the database %j stops the start', async (csv, message) => {
  const path = await database(csv)
  await expect(countriesOf(['1.0.0.0'], path)).rejects.toThrow(message)
})

test('a path that leads nowhere stops the start, too', async () => {
  const path = join(tmpdir(), 'no-such-database.csv')
  await expect(countriesOf(['1.0.0.0'], path)).rejects.toThrow(/geo-ip: schema or setup failed: ENOENT/)
})

test('an address is found where a look at every range finds it', () => {
  const number = fc.nat(2 ** 32 - 1)
  const ipOf = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.')
  const bounds = fc
    .uniqueArray(number, { minLength: 2, maxLength: 40 })
    .map((all) => all.sort((a, b) => a - b))
  fc.assert(
    fc.property(bounds, fc.array(number), fc.gen(), (all, others, gen) => {
      const ranges = all.flatMap((first, i) =>
        i % 2 === 0 && all[i + 1] !== undefined ? [{ first, last: all[i + 1] ?? 0, country: `C${i}` }] : [],
      )
      const shuffled = gen(fc.shuffledSubarray, ranges, { minLength: ranges.length })
      const table = rangesIn(
        shuffled.map(({ first, last, country }) => `${ipOf(first)},${ipOf(last)},${country}`).join('\n'),
      )
      for (const n of [...others, ...all, ...all.map((one) => Math.max(0, one - 1))]) {
        const wanted = ranges.find(({ first, last }) => first <= n && n <= last)?.country
        expect(table.find(bytesOf(ipOf(n)) ?? Buffer.alloc(0))).toBe(wanted)
      }
    }),
  )
})

test('every way to write an address comes to the same bytes', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      expect(isIP(text)).toBe(6)
      const whole = new URL(`http://[${text}]`).hostname.slice(1, -1)
      expect(bytesOf(text)).toHaveLength(16)
      expect(bytesOf(text)).toEqual(bytesOf(whole))
    }),
  )
})
