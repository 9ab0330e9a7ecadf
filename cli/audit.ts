/** The audit of a pipeline with the settings' own connections. */
import type { Redis } from 'ioredis'
import { type AuditDeps, audit } from '../audit/audit.ts'
import type { AuditReport } from '../audit/report.ts'
import type { Names } from '../cluster/protocol/names.ts'
import type { Settings } from '../cluster/settings.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import { resolveOptions } from '../pipelines/api/options.ts'
import { connectTopology } from './host.ts'

/** @param redis absent: the views are not compared */
export const auditPipeline = async (
  settings: Settings,
  pipeline: AnyPipeline,
  names: Names,
  redis?: Redis,
  more: Partial<Pick<AuditDeps, 'name' | 'options' | 'wait' | 'signal' | 'progress' | 'waiting'>> = {},
): Promise<AuditReport> => {
  const input = await connectTopology(settings, 'input')
  const home = await connectTopology(settings, 'home')
  try {
    const { clusterId } = settings
    const own = { name: pipeline.name, options: () => resolveOptions(pipeline, process.env) }
    return await audit({ ...own, ...more, input, home, names, pipeline, redis, clusterId })
  } finally {
    await Promise.all([input.connections.close(), home.connections.close()])
  }
}
