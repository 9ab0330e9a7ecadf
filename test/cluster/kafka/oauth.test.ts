import { expect, test } from 'vitest'
import { type OAuthBearerToken, tokenSource } from '../../../cluster/kafka/oauth.ts'

/** A source that counts, and the clock it goes by. */
const counted = (token: Partial<OAuthBearerToken>) => {
  const at = { now: 0, asked: 0 }
  const give = async () => ({ value: `t${++at.asked}`, ...token })
  return {
    at,
    source: tokenSource(
      async () => give,
      () => at.now,
    ),
  }
}

test('connections that ask together get one token', async () => {
  const { at, source } = counted({})
  const [one, two] = await Promise.all([source(), source()])
  expect([one.value, two.value, at.asked]).toEqual(['t1', 't1', 1])
  expect((await source()).value).toBe('t2')
})

test('a token is used again until shortly before it expires', async () => {
  const { at, source } = counted({ expiresAt: 100_000 })
  await source()
  at.now = 84_000
  expect((await source()).value).toBe('t1')
  at.now = 86_000
  expect((await source()).value).toBe('t2')
})

test('after a failure the next one asks again', async () => {
  let fails = true
  const source = tokenSource(async () => async () => {
    if (fails) throw new Error('the issuer is away')
    return { value: 't' }
  })
  await expect(source()).rejects.toMatchObject({ code: 'kafka-auth' })
  fails = false
  expect((await source()).value).toBe('t')
})
