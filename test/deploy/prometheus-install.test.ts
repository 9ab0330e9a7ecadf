import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../cli/services/run.ts'

const program = join(import.meta.dirname, '../support/prometheus-install.ts')

test('where Prometheus is missing and cannot be installed, one line says so and what to do', async () => {
  const { code, stderr } = await run(process.execPath, [program, '.millrace'], { env: { PATH: '/nowhere' } })
  expect(stderr).toBe("Prometheus is missing; install prometheus with your system's package manager\n")
  expect(code).toBe(8)
})
