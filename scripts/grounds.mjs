/**
 * What tests stand on. To add a ground, add an entry:
 * - `name`: how the run calls it, `tests on ...`;
 * - `helpers`: files of test/support by which a test file is known to stand on it, imported directly or over others.
 *   A file belongs to the first ground that fits, so what stands on more comes first;
 * - `ensure()`: makes the tools ready, or throws an Error that says in one line what is missing (and, as `remedy`, what to do).
 *   It runs in a process of its own, at low priority, one ground after the other, while other tests run already: it may take
 *   minutes the first time, must be quick where all is there, and may print as it goes;
 * - `atOnce` (optional): so many test files at a time, where they wait more than they compute.
 * Grounds run from the last to the first.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const dataDir = join(project, '.millrace')
/** Test files on services at a time: each has some processes of its own, which wait as much as they compute. */
const IN_PROCESSES = Math.max(3, Math.floor(availableParallelism() / 2))

const ensureServices = async () => {
  const { ensureKafkaInstall, ensureTools } = await import('../cli/services/native.ts')
  await ensureTools({ kafka: true, redis: true }, { dataDir, log: console.log })
  await ensureKafkaInstall(dataDir, console.log)
}

/** Runs a program of test/support that makes tools ready, and throws what it says where it cannot. */
const runInstaller = (path) => {
  const stdio = ['ignore', 'inherit', 'pipe']
  const ran = spawnSync(process.execPath, [join(project, path), dataDir], { stdio, encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(ran.stderr.trim())
}

export const grounds = [
  {
    name: 'tests on a real Prometheus',
    helpers: ['prometheus.ts'],
    ensure: async () => {
      runInstaller('test/support/prometheus-install.ts')
      await ensureServices()
    },
  },
  {
    name: 'tests on a real OpenSearch',
    helpers: ['opensearch.ts'],
    ensure: async () => {
      await ensureServices()
      runInstaller('test/support/opensearch-install.ts')
      runInstaller('test/support/openssl-install.ts')
    },
  },
  {
    name: 'tests on a real Jaeger',
    helpers: ['jaeger.ts'],
    ensure: async () => {
      await ensureServices()
      runInstaller('test/support/jaeger-install.ts')
    },
  },
  {
    name: 'tests of the Helm chart and the workflows',
    helpers: ['go-tools.ts'],
    ensure: async () => {
      await ensureServices()
      runInstaller('test/support/go-tools.ts')
    },
  },
  {
    name: 'tests of TLS and logins',
    helpers: ['certificates.ts'],
    ensure: async () => {
      await ensureServices()
      runInstaller('test/support/openssl-install.ts')
    },
    atOnce: IN_PROCESSES,
  },
  {
    name: 'tests on real Kafka and Redis',
    helpers: ['services.ts', 'redis.ts'],
    ensure: ensureServices,
    atOnce: IN_PROCESSES,
  },
  {
    name: 'tests with the tools of image and compose file',
    helpers: ['deploy-tools.ts'],
    ensure: async () => runInstaller('test/support/deploy-tools.ts'),
  },
]

/** Whether a test file comes to one of these helpers of test/support, over other helpers if need be. */
const needs = (helpers, file, seen = new Set()) => {
  if (helpers.some((name) => file === join(project, 'test/support', name))) return true
  if (seen.has(file) || !file.startsWith(join(project, 'test')) || !existsSync(file)) return false
  seen.add(file)
  const imports = readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g)
  return [...imports].some(([, path]) => needs(helpers, join(dirname(file), path), seen))
}

/** Undefined for a test that needs nothing. */
export const groundOf = (file) => grounds.find(({ helpers }) => needs(helpers, file))
