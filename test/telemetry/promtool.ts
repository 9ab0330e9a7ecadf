/** `promtool test rules` on the shipped rule files. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { alertGroups } from '../../telemetry/alerts.ts'
import { ruleGroups } from '../../telemetry/rules.ts'
import { promtool } from '../support/prometheus.ts'

const folder = join(import.meta.dirname, '../../deploy/prometheus')

const SAMPLES_EVERY = '15s'

/** As a real one comes to it in the end: what is recorded first, then what stands on it. */
const order = [...Object.keys(ruleGroups), ...Object.keys(alertGroups).map((name) => `${name}-alerts`)]

/** @returns what promtool says of the test group, empty where all is as expected */
export const judge = async (group: Readonly<Record<string, unknown>>): Promise<string> => {
  const scratch = await mkdtemp(join(tmpdir(), 'millrace-promtool-'))
  const file = join(scratch, 'test.yml')
  const test = {
    rule_files: ['rules.yml', 'alerts.yml'].map((name) => join(folder, name)),
    evaluation_interval: SAMPLES_EVERY,
    group_eval_order: order,
    tests: [{ interval: SAMPLES_EVERY, ...group }],
  }
  try {
    await writeFile(file, JSON.stringify(test))
    const { code, stdout, stderr } = await promtool(['test', 'rules', file])
    return code === 0 ? '' : stdout + stderr
  } finally {
    await rm(scratch, { recursive: true })
  }
}
