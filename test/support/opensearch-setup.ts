/**
 * Vitest's global setup: one OpenSearch node for the whole run, started when the first test file asks, ended with the run.
 * Test files ask through a loopback port, because they live in other processes.
 */
import { type AddressInfo, createServer } from 'node:net'
import { resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import { messageOf } from '../../cluster/errors.ts'
import { readSettings } from '../../cluster/settings.ts'
import type { NodeReply } from './opensearch.ts'
import { ensureOpenSearch } from './opensearch-install.ts'
import { type OpenSearchNode, startOpenSearch } from './opensearch-node.ts'

const start = async (): Promise<OpenSearchNode> =>
  startOpenSearch(await ensureOpenSearch(resolve(readSettings({}).dataDir), (line) => console.error(line)))

export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  let node: Promise<OpenSearchNode> | undefined
  const answer = async (): Promise<NodeReply> => {
    try {
      node ??= start()
      return { ok: true, url: (await node).url }
    } catch (error) {
      return { ok: false, reason: messageOf(error) }
    }
  }
  const door = createServer((socket) => {
    socket.on('error', () => {}) // A test file that ends early needs no answer.
    void answer().then((reply) => socket.end(JSON.stringify(reply)))
  })
  await new Promise<void>((listening) => door.listen(0, '127.0.0.1', listening))
  project.provide('openSearchDoor', (door.address() as AddressInfo).port)
  return async () => {
    door.close()
    await node?.then((started) => started.stop()).catch(() => {}) // It never started: its tests have said so.
  }
}
