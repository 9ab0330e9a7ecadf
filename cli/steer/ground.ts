/** What every order stands on: connections, the pipeline, and what is known of it at the start. */

import { namesOf } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import { aclsFor } from '../acls/own.ts'
import { requireAcls } from '../acls/preflight.ts'
import { connectedSettings } from '../connect.ts'
import { connectTopology } from '../host.ts'
import { untilInterrupted } from '../interrupt.ts'
import { pipelineFor } from '../pipeline.ts'
import { type Eye, openEye } from '../status/look.ts'
import { type Field, fieldOf } from './find.ts'

export interface Ground {
  readonly settings: Settings
  readonly pipeline: string
  /** The input topic, and how many partitions it has. */
  readonly input: { readonly topic: string; readonly partitions: number }
  readonly eye: Eye
  readonly field: Field
  readonly signal: AbortSignal
}

/** @param named the pipeline; default: the setting */
export const onGround = async <T>(
  named: string | undefined,
  act: (ground: Ground) => Promise<T>,
): Promise<T> => {
  using interrupted = untilInterrupted()
  const { signal } = interrupted
  const settings = await connectedSettings(['input', 'home'], { pipeline: named })
  const pipeline = await pipelineFor(settings, named)
  await requireAcls(settings, aclsFor(settings, pipeline, {}, ['orders']))
  const { name } = pipeline
  const { input: topic } = namesOf(name, pipeline.topics, settings.topicPrefix)
  await using eye = await openEye(settings, signal)
  const partitions = await partitionsIn(settings, topic)
  const field = fieldOf(await eye.look(), name)
  return await act({ settings, pipeline: name, input: { topic, partitions }, eye, field, signal })
}

const partitionsIn = async (settings: Settings, topic: string): Promise<number> => {
  const input = await connectTopology(settings, 'input')
  try {
    return (await input.topic(topic)).partitions.length
  } finally {
    await input.connections.close()
  }
}
