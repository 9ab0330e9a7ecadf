/** Programs that tests take from the system's packages: found, or installed where apt and root are there, or missed in one line. */
import { join } from 'node:path'
import { aptInstall } from '../../cli/services/apt.ts'
import { withLock } from '../../cli/services/lock.ts'
import { type Machine, thisMachine, which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'

export interface SystemPackage<Program extends string> {
  /** What people call it. */
  readonly title: string
  /** The same in apt and brew. */
  readonly name: string
  readonly programs: readonly Program[]
}

export type Paths<Program extends string> = Readonly<Record<Program, string>>

const INSTALL_MS = 10 * 60_000

/** Undefined where one of its programs is not there. */
export const installed = <P extends string>({ programs }: SystemPackage<P>): Paths<P> | undefined => {
  const paths = programs.map((program) => [program, which(program)] as const)
  return paths.some(([, path]) => path === undefined) ? undefined : (Object.fromEntries(paths) as Paths<P>)
}

/** @throws MillraceError `services` that says what is missing */
export const ensurePackage = async <P extends string>(
  wanted: SystemPackage<P>,
  dataDir: string,
  log: (line: string) => void,
): Promise<Paths<P>> => {
  const found = installed(wanted)
  if (found !== undefined) return found
  const { title, name, programs } = wanted
  const machine = thisMachine()
  if (!machine.hasApt || !machine.isRoot) throw lack(`${title} is missing`, remedyOn(machine, name))
  const result = await withLock(join(dataDir, name), INSTALL_MS, () => aptInstall([name], { yes: true, log }))
  const brought = installed(wanted)
  if (brought !== undefined) return brought
  const why = result.installed ? `its package brought no ${programs.join(' and ')}` : result.reason
  throw lack(`${title} cannot be installed: ${why}`, `install the package ${name}`)
}

const lack = (what: string, remedy: string): MillraceError => new MillraceError('services', what, { remedy })

const remedyOn = ({ hasApt, hasBrew }: Machine, name: string): string => {
  if (hasApt) return `sudo apt-get install -y ${name}`
  return hasBrew ? `brew install ${name}` : `install ${name} with your system's package manager`
}
