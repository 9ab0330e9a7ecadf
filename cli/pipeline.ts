/** The pipeline a command is about: named on the command line, else the setting `pipeline`. */
import { type Names, namesOf } from '../cluster/protocol/names.ts'
import type { Settings } from '../cluster/settings.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import { loadPipeline } from '../pipelines/api/load.ts'

export const pipelineFor = async (settings: Settings, named?: string): Promise<AnyPipeline> =>
  (await loadPipeline(named ?? settings.pipeline)).pipeline

export const namesFor = async (settings: Settings, named?: string): Promise<Names> => {
  const { name, topics } = await pipelineFor(settings, named)
  return namesOf(name, topics, settings.topicPrefix)
}
