/** What the five have in common. */
import { expect, test } from 'vitest'
import { lintWarnings } from '../../pipelines/api/lint.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'

const topics = {
  'login-production': {
    input: 'user-login',
    output: 'user-login-processed-production',
    deadLetters: 'user-login-dead-letter',
  },
  'login-defaults': {
    input: 'user-login',
    output: 'processed-logins',
    deadLetters: 'processed-logins-dlq',
    insights: 'insights',
  },
  'login-privacy': {
    input: 'user-login',
    output: 'processed-user-login',
    deadLetters: 'user-login-dlq',
  },
  'login-search': {
    input: 'user-login',
    output: 'processed-user-login',
    deadLetters: 'processed-user-login-dlq',
  },
  'login-insights': {
    input: 'user-login',
    deadLetters: 'user-login-insights-dlq',
    insights: 'insights',
    clusterInsights: 'user-login-insights',
  },
}

test.each(Object.entries(topics))(
  '%s is shipped under its name, with the topics of the original',
  async (name, its) => {
    const { pipeline } = await loadPipeline(name)
    expect(pipeline.name).toBe(name)
    expect(pipeline.topics).toEqual(its)
  },
)

test.each(Object.keys(topics))('%s has nothing a person should look at', async (name) => {
  const { pipeline } = await loadPipeline(name)
  // Fields that `process` adds look like typing errors to lint.
  expect(lintWarnings(pipeline).filter((line) => !/: (hour|region) is no field/.test(line))).toEqual([])
})
