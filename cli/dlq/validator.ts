/** The live validator: the pipeline with its options, as a worker's threads would run it. */
import type { Settings } from '../../cluster/settings.ts'
import { Mender } from '../../letters/mend.ts'
import type { Rule } from '../../letters/rules.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { prepare } from '../../pipelines/api/execute.ts'
import { makeSecrets, resolveOptions } from '../../pipelines/api/options.ts'

export interface MenderWishes {
  readonly settings: Settings
  /** Empty: the pipeline's own `repair`. */
  readonly rules: readonly Rule[]
  readonly signal: AbortSignal
}

/** What it makes of a record is only looked at, so a secret of its own serves as well as the workers'. */
export const menderFor = async (
  pipeline: AnyPipeline,
  { settings, rules, signal }: MenderWishes,
): Promise<Mender> => {
  const { maxRecordBytes } = settings
  const env = { ...process.env, ...makeSecrets(pipeline, process.env) }
  const prepared = await prepare(pipeline, resolveOptions(pipeline, env), { maxRecordBytes })
  return new Mender({ prepared, rules, maxRecordBytes, now: Date.now, signal })
}
