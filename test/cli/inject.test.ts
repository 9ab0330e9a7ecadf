/** Made-up failures are for the demo alone: whoever would make real records fail is told at once, before any service is asked. */
import { expect, test } from 'vitest'
import { DEMO_FAILURES } from '../../cli/inject.ts'
import { errorKinds } from '../../cluster/errors.ts'
import { millrace } from './millrace.ts'

const env = { MILLRACE_INJECT: 'retry=0.02,dead=0.01' }

test.each([['worker'], ['run'], ['coordinator'], ['dev', 'user-login']])(
  '%s refuses them in one line',
  async (...args) => {
    const { code, stdout, stderr } = await millrace(args, { env })
    expect({ code, stdout }).toEqual({ code: errorKinds.settings.exit, stdout: '' })
    expect(stderr).toBe(
      'millrace: MILLRACE_INJECT makes records fail: only the demo may; unset it, or see it with `millrace demo --inject`\n',
    )
  },
)

test('generate knows no origins, so it has no such option', async () => {
  const { code, stderr } = await millrace(['generate', '--inject', 'retry=0.1'])
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("'--inject'") })
})

test.each(['retry=2', 'often=0.1', 'retry'])(
  'demo --inject %s is refused with what is expected',
  async (shares) => {
    const { code, stderr } = await millrace(['demo', '--inject', shares])
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/expected (a share|retry, dead, slow)/),
    })
  },
)

test('one record in a hundred is made to be retried in the demo', () =>
  expect(DEMO_FAILURES).toEqual({ retry: 0.01 }))
