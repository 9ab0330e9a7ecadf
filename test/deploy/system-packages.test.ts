import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../cli/services/run.ts'

test.each([
  ['prometheus', 'Prometheus'],
  ['openssl', 'openssl'],
])('where %s is missing and cannot be installed, one line says so and what to do', async (name, title) => {
  const program = join(import.meta.dirname, `../support/${name}-install.ts`)
  const { code, stderr } = await run(process.execPath, [program, '.millrace'], { env: { PATH: '/nowhere' } })
  expect(stderr).toBe(`${title} is missing; install ${name} with your system's package manager\n`)
  expect(code).toBe(8)
})
