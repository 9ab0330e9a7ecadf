/** A pipeline by its shipped name or by the path of a user's module. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MillraceError } from '../../cluster/errors.ts'
import { nearest } from '../../cluster/nearest.ts'
import { shippedPipelines } from '../index.ts'
import type { AnyPipeline } from './define.ts'
import { isPipeline, pipelineProblems } from './validate.ts'

export interface LoadedPipeline {
  readonly pipeline: AnyPipeline
  /** What a thread imports to get the same. */
  readonly url: string
}

/** @throws MillraceError `pipeline-load`, one line that names what is wrong and where. */
export const loadPipeline = async (nameOrPath: string): Promise<LoadedPipeline> => {
  const url = urlOf(nameOrPath)
  const exported = await exportOf(nameOrPath, url)
  if (isPipeline(exported)) return { pipeline: exported, url }
  throw new MillraceError('pipeline-load', `${nameOrPath}: ${pipelineProblems(exported).join('; ')}`)
}

const LOOKS_LIKE_PATH = /[/\\]|\.[cm]?[jt]s$/

const urlOf = (nameOrPath: string): string => {
  if (nameOrPath.startsWith('file://')) return nameOrPath
  const shipped = shippedPipelines.get(nameOrPath)
  if (shipped !== undefined) return shipped.href
  const path = resolve(nameOrPath)
  if (existsSync(path)) return pathToFileURL(path).href
  if (LOOKS_LIKE_PATH.test(nameOrPath))
    throw new MillraceError('pipeline-load', `${nameOrPath}: no such file`)
  const names = [...shippedPipelines.keys()]
  throw new MillraceError('pipeline-load', `no pipeline is called ${nameOrPath}`, {
    remedy: `did you mean ${nearest(nameOrPath, names)}? Shipped are ${names.join(', ')}; a path names your own`,
  })
}

/** The named export `pipeline`, or the default one. */
const exportOf = async (nameOrPath: string, url: string): Promise<unknown> => {
  const module: { readonly pipeline?: unknown; readonly default?: unknown } = await import(url).catch(
    (error: unknown) => {
      // Node tells the line of a syntax error to nobody but its own printer.
      const remedy =
        error instanceof SyntaxError ? { remedy: `\`node --check ${nameOrPath}\` shows the line` } : {}
      throw new MillraceError('pipeline-load', `${nameOrPath}: ${describe(error)}`, {
        cause: error,
        ...remedy,
      })
    },
  )
  const exported = module.pipeline ?? module.default
  if (exported !== undefined) return exported
  throw new MillraceError('pipeline-load', `${nameOrPath}: exports neither pipeline nor default`)
}

const FRAME = /file:\/\/[^\s)]*?\.[cm]?[jt]s:\d+/g

/** First line of the message and, where the stack tells, file and line. */
const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const place = [...(error.stack ?? '').matchAll(FRAME)]
    .map(([frame]) => frame)
    .find((frame) => !frame.includes('/node_modules/'))
  const [message = ''] = error.message.trim().split('\n')
  return `${error.name}: ${message}${place === undefined ? '' : ` (${place.slice('file://'.length)})`}`
}
