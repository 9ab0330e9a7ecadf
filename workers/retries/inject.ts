/**
 * Made-up failures, for the demo and for tests: a pipeline whose `process` fails for a share of the records. Which ones
 * follows from their origin alone, so that every run and every worker says the same. Pure.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Failures } from '../../cluster/settings/values.ts'
import type { AnyPipeline, Input } from '../../pipelines/api/define.ts'
import { dead, retry } from '../../pipelines/api/outcome.ts'

/** A record that is made to be retried fails so often. */
const FAILS = 2
const SLOW_MS = 300

export const injected = (pipeline: AnyPipeline, failures: Failures | undefined): AnyPipeline => {
  if (failures === undefined || Object.keys(failures).length === 0) return pipeline
  const process = pipeline.process?.bind(pipeline) ?? ((record) => record)
  return {
    ...pipeline,
    process: (record, ctx) => {
      const kind = kindOf(ctx.origin, failures)
      if (kind === 'retry' && ctx.attempt <= FAILS) return retry('injected', `made up, run ${ctx.attempt}`)
      if (kind === 'dead') return dead('injected')
      if (kind === 'slow') return sleep(SLOW_MS).then(() => process(record, ctx))
      return process(record, ctx)
    },
  }
}

export const kindOf = (origin: Input['origin'], failures: Failures): keyof Failures | undefined => {
  const at = unitOf(`${origin.partition}/${origin.offset}`)
  let upTo = 0
  for (const kind of ['retry', 'dead', 'slow'] as const) {
    upTo += failures[kind] ?? 0
    if (at < upTo) return kind
  }
  return undefined
}

/** In [0, 1). FNV-1a and a last mix: neighbours must not fall together. */
const unitOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
