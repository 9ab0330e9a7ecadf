/**
 * Prometheus and its promtool for tests, from the system's packages. Called as a program it installs them where it can (the
 * folder that is named holds the lock), or says in one line why it cannot.
 */
import { join, resolve } from 'node:path'
import { aptInstall } from '../../cli/services/apt.ts'
import { withLock } from '../../cli/services/lock.ts'
import { type Machine, thisMachine, which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'
import { asProgram } from './installer.ts'

export interface PrometheusInstall {
  /** Paths of the two programs. */
  readonly prometheus: string
  readonly promtool: string
}

const INSTALL_MS = 10 * 60_000

export const installedPrometheus = (): PrometheusInstall | undefined => {
  const prometheus = which('prometheus')
  const promtool = which('promtool')
  return prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool }
}

/** @throws MillraceError `services` that says what is missing */
export const ensurePrometheus = async (
  dataDir: string,
  log: (line: string) => void,
): Promise<PrometheusInstall> => {
  const found = installedPrometheus()
  if (found !== undefined) return found
  const machine = thisMachine()
  if (!machine.hasApt || !machine.isRoot) throw lack('Prometheus is missing', remedyOn(machine))
  const result = await withLock(join(dataDir, 'prometheus'), INSTALL_MS, () =>
    aptInstall(['prometheus'], { yes: true, log }),
  )
  const brought = installedPrometheus()
  if (brought !== undefined) return brought
  const why = result.installed ? 'its package brought no prometheus and promtool' : result.reason
  throw lack(`Prometheus cannot be installed: ${why}`, 'install the package prometheus')
}

const lack = (what: string, remedy: string): MillraceError => new MillraceError('services', what, { remedy })

const remedyOn = ({ hasApt, hasBrew }: Machine): string => {
  if (hasApt) return 'sudo apt-get install -y prometheus'
  return hasBrew ? 'brew install prometheus' : "install prometheus with your system's package manager"
}

if (import.meta.main) await asProgram(ensurePrometheus(resolve(process.argv[2] ?? ''), console.log))
