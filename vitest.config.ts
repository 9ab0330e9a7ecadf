import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

// Settings of whoever runs the tests are none of theirs.
for (const name of Object.keys(process.env)) if (name.startsWith('MILLRACE_')) delete process.env[name]

// For the hundreds of processes that tests start: half of the CPU of a start would go into compiling.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '.millrace/compile-cache')

export default defineConfig({
  test: {
    globalSetup: ['test/support/services-setup.ts', 'test/support/opensearch-setup.ts'],
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    sequence: { sequencer: LongestFirst },
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
  },
})
