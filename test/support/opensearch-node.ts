/** A real OpenSearch for tests: one node without security. */
import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { awaitReady, startProcess } from '../../cli/services/process.ts'
import type { OpenSearchInstall } from './opensearch-install.ts'

export interface OpenSearchNode {
  readonly url: string
  stop(): Promise<void>
}

const START_TIMEOUT = 120_000
/** The runner looks for a free port from a base on, and no higher than 9299. */
const LOWEST_BASE = 9200
const HIGHEST_BASE = 9280
/** A full disk is no fault of the sink. */
const CONFIG = 'network.host: 127.0.0.1\ncluster.routing.allocation.disk.threshold_enabled: false\n'
const JVM = [
  '-Xms256m',
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '--enable-native-access=ALL-UNNAMED',
]

export const startOpenSearch = async (install: OpenSearchInstall): Promise<OpenSearchNode> => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-opensearch-'))
  const config = join(folder, 'node_1', 'config')
  await mkdir(config, { recursive: true })
  await writeFile(join(config, 'opensearch.yml'), CONFIG)
  const base = String(randomInt(LOWEST_BASE, HIGHEST_BASE))
  const main = 'org.codelibs.opensearch.runner.OpenSearchRunner'
  const args = [...JVM, '-cp', install.classPath, main]
  const process = await startProcess({
    name: 'OpenSearch',
    command: install.java,
    args: [...args, '-basePath', folder, '-numOfNode', '1', '-baseHttpPort', base],
    cwd: folder,
    logFile: join(folder, 'opensearch.log'),
  })
  const url = async () => {
    const port = /^HTTP Port:\s+(\d+)$/m.exec(await readFile(process.logFile, 'utf8'))?.[1]
    return port === undefined ? undefined : `http://127.0.0.1:${port}`
  }
  const stop = async () => {
    // Its data goes: an orderly end would only cost time.
    await process.kill()
    await rm(folder, { recursive: true, force: true })
  }
  await awaitReady(process, async () => answers(await url()), START_TIMEOUT)
  return { url: (await url()) ?? '', stop }
}

const answers = async (url: string | undefined): Promise<boolean> => {
  if (url === undefined) return false
  const reply = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=5s`).catch(() => undefined)
  await reply?.arrayBuffer()
  return reply?.ok ?? false
}
