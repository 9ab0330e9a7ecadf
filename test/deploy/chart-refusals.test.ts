/** Values that contradict each other end the render with one sentence, by the real helm; each other case stands in tests/validate_test.yaml. */
import { expect, test } from 'vitest'
import { chart, template, tool, valuesOf } from './chart.ts'

const minimal = ['-f', valuesOf('minimal')]

test.each([
  ['no brokers', [], 'no Kafka is named: set settings.kafkaBrokers'],
  ['no Redis', ['--set', 'settings.kafkaBrokers={a:1}'], 'no Redis is named: set settings.redisUrl'],
  [
    'HPA and KEDA',
    [...minimal, '--set', 'worker.autoscaling.enabled=true,worker.keda.enabled=true'],
    'worker.autoscaling and worker.keda are both enabled',
  ],
  [
    'more replicas than partitions',
    [...minimal, '--set', 'worker.replicas=5'],
    'worker.replicas is 5 with 1 worker process(es) in each pod, but the pipeline has 4 slots',
  ],
  [
    'more replicas by processes than partitions',
    [...minimal, '--set', 'worker.replicas=3,settings.processes=2'],
    'worker.replicas is 3 with 2 worker process(es) in each pod, but the pipeline has 4 slots',
  ],
  [
    'KEDA and tokens of a module',
    [
      ...minimal,
      '--skip-schema-validation',
      '--set',
      'worker.keda.enabled=true,settings.kafkaSaslMechanism=oauthbearer',
    ],
    "KEDA cannot run the module that brings the workers' tokens",
  ],
])('%s', async (_, args, sentence) => {
  const { code, stdout, stderr } = await template(args)
  expect([code, stdout]).toEqual([1, ''])
  const lines = stderr.split('\n').filter((line) => line.startsWith('Error:'))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain(`validate.yaml:1:4): ${sentence}`)
  expect(stderr).not.toContain('goroutine')
})

test.each([
  ['worker.replica=1', "at '/worker': additional properties 'replica' not allowed"],
  ['settings.kafkaBroker=a:1', "at '/settings': additional properties 'kafkaBroker' not allowed"],
  ['settings.httpHost=0.0.0.0', "at '/settings': additional properties 'httpHost' not allowed"],
  ['settings.threads=many', "at '/settings/threads': got string"],
  ['settings.threads=65', "at '/settings/threads': maximum: got 65, want 64"],
  ['settings.logLevel=loud', "at '/settings/logLevel': value must be one of"],
  ['settings.lease=soon', "at '/settings/lease': 'soon' does not match pattern"],
  [
    'podSecurityContext.runAsUser=1000',
    "at '/podSecurityContext/runAsUser': minimum: got 1,000, want 10,000",
  ],
])('%s is refused by the schema', async (assignment, sentence) => {
  const { code, stderr } = await tool('helm', ['lint', '--strict', chart, ...minimal, '--set', assignment])
  const { stderr: said } = await template([...minimal, '--set', assignment])
  expect(code, stderr).toBe(1)
  expect(said).toContain(sentence)
})
