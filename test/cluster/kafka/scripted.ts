/** Connections that send nothing: a script answers, and every request is noted. */
import { Connections, type RawRequest, type Throttled } from '../../../cluster/kafka/seam.ts'
import { Topology } from '../../../cluster/kafka/topology.ts'
import { metadataReply, type ReplyTopic } from './replies.ts'

export interface Asked {
  readonly nodeId: number
  readonly name: string
  readonly body: Buffer
  readonly timeout: number | undefined
}

/** The bytes of the reply; a throw is a lost call. */
export type Script = (asked: Asked) => Buffer | Promise<Buffer>

export class ScriptedConnections extends Connections {
  readonly asked: Asked[] = []
  /** Names of requests, `drop` and `refresh`, in their order. */
  readonly events: string[] = []
  nodes = [1]
  script: Script

  constructor(script: Script) {
    super({ brokers: ['127.0.0.1:1'] })
    this.script = script
  }
  override nodeIds(): number[] {
    return this.nodes
  }
  override async call<T extends Throttled>(nodeId: number, raw: RawRequest<T>): Promise<T> {
    const asked = { nodeId, name: raw.name, body: Buffer.concat(raw.body), timeout: raw.timeout }
    this.asked.push(asked)
    this.events.push(raw.name)
    return raw.decode(await this.script(asked))
  }
  override drop(nodeId: number): void {
    this.events.push(`drop ${nodeId}`)
  }
  override async refresh(): Promise<void> {
    this.events.push('refresh')
  }
  named(name: string): Asked[] {
    return this.asked.filter((one) => one.name === name)
  }
}

export const topicIdOf = (index: number): string => Buffer.alloc(16, index).toString('base64url')

/** A topology that knows one topic; its metadata may be changed. */
export const scripted = async (topic: ReplyTopic, script: Script) => {
  const state = { topics: [topic] as ReplyTopic[] }
  const connections = new ScriptedConnections((asked) =>
    asked.name === 'Metadata' ? metadataReply(state.topics, connections.nodes) : script(asked),
  )
  const topology = new Topology(connections)
  await topology.topic(topic.topic)
  connections.asked.length = 0
  connections.events.length = 0
  return { connections, topology, state }
}
