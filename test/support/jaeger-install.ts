/**
 * Jaeger for tests: all-in-one (collector, memory, query API; no pages), built once with Go from what tools/jaeger pins.
 * Called as a program it makes it ready in the folder that is named, or says in one line why it cannot.
 */
import { join } from 'node:path'
import { ensureGoModule, type GoModule, type Log } from './go-build.ts'
import { asProgram } from './installer.ts'

const jaeger: GoModule = { name: 'jaeger', title: 'Jaeger', folder: 'tools/jaeger', target: 'tool' }

/** @returns the program's path. @throws MillraceError `services` that says what is missing */
export const ensureJaeger = async (
  dataDir: string,
  log: Log,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> => join(await ensureGoModule(jaeger, dataDir, log, env), 'all-in-one')

if (import.meta.main) await asProgram(ensureJaeger(process.argv[2] ?? '', console.log))
