/** Entry of a short-lived process that loads a pipeline module afresh, says what it found, and which files it is made of. */
import { registerHooks } from 'node:module'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import { lintWarnings } from '../../pipelines/api/lint.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import { makeSecrets } from '../../pipelines/api/options.ts'
import type { Look, Seen } from './look.ts'
import { sampleOf } from './sample.ts'

/** Of Millrace itself and of packages nobody expects a restart. */
const foreign = [`${sep}node_modules${sep}`, fileURLToPath(new URL('../../dist/', import.meta.url))]
const files = new Set<string>()

registerHooks({
  load: (url, context, next) => {
    if (url.startsWith('file:')) {
      const path = fileURLToPath(url)
      if (!foreign.some((part) => path.includes(part))) files.add(path)
    }
    return next(url, context)
  },
})

const look = async (nameOrPath: string): Promise<Seen> => {
  const { pipeline, url } = await loadPipeline(nameOrPath)
  lintWarnings(pipeline)
  return {
    name: pipeline.name,
    url,
    topics: pipeline.topics,
    secrets: makeSecrets(pipeline, process.env),
    sample: sampleOf(pipeline.schema),
  }
}

const asMillraceError = (error: unknown): MillraceError =>
  error instanceof MillraceError ? error : new MillraceError('pipeline-load', messageOf(error))

const answer = async (): Promise<Look> => {
  try {
    const seen = await look(process.argv[2] ?? '')
    return { ok: true, seen, files: [...files] }
  } catch (error) {
    const { code, message, remedy } = asMillraceError(error)
    return { ok: false, fault: { code, message, remedy }, files: [...files] }
  }
}

process.send?.(await answer(), () => process.exit(0))
