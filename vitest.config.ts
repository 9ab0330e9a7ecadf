import { defineConfig } from 'vitest/config'

// Settings of whoever runs the tests are none of theirs.
for (const name of Object.keys(process.env)) if (name.startsWith('MILLRACE_')) delete process.env[name]

export default defineConfig({
  test: {
    globalSetup: ['test/support/services-setup.ts', 'test/support/opensearch-setup.ts'],
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
  },
})
