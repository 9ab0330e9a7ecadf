/** The part of a status that a person asked for. */
import { MillraceError } from '../../cluster/errors.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import type { ClusterStatus } from './status.ts'

/**
 * @param named a name in the cluster, else what `loadPipeline` knows; undefined: all
 * @throws MillraceError `usage` where it is neither
 */
export const only = async (status: ClusterStatus, named: string | undefined): Promise<ClusterStatus> => {
  if (named === undefined) return status
  const of = (name: string) => status.pipelines.filter(({ pipeline }) => pipeline === name)
  if (of(named).length > 0) return { ...status, pipelines: of(named) }
  const loaded = await loadPipeline(named).catch(() => undefined)
  if (loaded !== undefined) return { ...status, pipelines: of(loaded.pipeline.name) }
  const known = status.pipelines.map(({ pipeline }) => pipeline)
  throw new MillraceError('usage', `no pipeline of the cluster is called ${named}, and no module`, {
    remedy: known.length === 0 ? 'the cluster knows none yet' : `the cluster knows ${known.join(', ')}`,
  })
}
