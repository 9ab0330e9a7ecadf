/** The rows of the table for a pipeline and the settings that count. */
import { namesOf, sinkNamesOf } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { renamed } from '../host.ts'
import { type Acl, aclsOf, type PartName } from './table.ts'

export const aclsFor = (
  settings: Settings,
  { name, topics }: AnyPipeline,
  { as, index }: { readonly as?: string; readonly index?: string },
  wanted: readonly PartName[],
): readonly Acl[] => {
  const { topicPrefix: prefix, fromGroup } = settings
  const pipeline = as ?? name
  const names = namesOf(pipeline, as === undefined ? topics : renamed(topics, as), prefix)
  const sink = names.output !== undefined && index !== undefined && sinkNamesOf(names.output, index, prefix)
  return aclsOf({ pipeline, names, prefix, fromGroup, ...(sink && { sink }) }, wanted)
}
