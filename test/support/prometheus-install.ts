/**
 * Prometheus and its promtool for tests, from the system's packages. Called as a program it installs them where it can (the
 * folder that is named holds the lock), or says in one line why it cannot.
 */
import { resolve } from 'node:path'
import { asProgram } from './installer.ts'
import { ensurePackage, installed, type Paths } from './package-install.ts'

export type PrometheusInstall = Paths<'prometheus' | 'promtool'>

const wanted = {
  title: 'Prometheus',
  name: 'prometheus',
  programs: ['prometheus', 'promtool'],
} as const

export const installedPrometheus = (): PrometheusInstall | undefined => installed(wanted)

/** @throws MillraceError `services` that says what is missing */
export const ensurePrometheus = (dataDir: string, log: (line: string) => void): Promise<PrometheusInstall> =>
  ensurePackage(wanted, dataDir, log)

if (import.meta.main) await asProgram(ensurePrometheus(resolve(process.argv[2] ?? ''), console.log))
