import { isIP, isIPv4 } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pipeline } from '../../pipelines/login-search/pipeline.ts'
import { run } from '../../pipelines/testing.ts'
import { goldenTests, LOGIN } from './golden.ts'

goldenTests(pipeline)

test('of no address the last group is written', async () => {
  const addresses = fc.sample(fc.oneof(fc.ipV4(), fc.ipV6()), 200)
  const { outcomes } = await run(
    pipeline,
    addresses.map((ip) => ({ ...LOGIN, ip })),
  )
  for (const [i, ip] of addresses.entries()) {
    const four = isIPv4(ip)
    expect(isIP(ip)).not.toBe(0)
    const kept = ip.slice(0, ip.lastIndexOf(four ? '.' : ':') + 1)
    expect(outcomes[i]).toMatchObject({ outcome: 'done', value: { ip: `${kept}${four ? 'xxx' : 'xxxx'}` } })
  }
})
