/** Made-up failures: the demo asks for them, nobody else may. */
import { InvalidArgumentError } from 'commander'
import { MillraceError, messageOf } from '../cluster/errors.ts'
import { type Failures, failures } from '../cluster/settings/values.ts'
import { readSettings } from '../cluster/settings.ts'

/** So that retries can be seen. */
export const DEMO_FAILURES: Failures = { retry: 0.01 }

/** @throws commander's own error, with what was expected */
export const madeUp = (text: string): Failures => {
  try {
    return failures.parse(text)
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error))
  }
}

/**
 * Comes before anything is waited for.
 * @throws MillraceError `settings` where somebody would make real records fail
 */
export const refuseFailures = (): void => {
  if (Object.keys(readSettings(process.env).inject).length === 0) return
  throw new MillraceError('settings', 'MILLRACE_INJECT makes records fail: only the demo may', {
    remedy: 'unset it, or see it with `millrace demo --inject`',
  })
}
