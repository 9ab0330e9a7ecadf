/**
 * The Go programs that judge the Helm chart and the workflows, pinned in tools/go.mod. Called as a program it makes them and the
 * schemas ready in the folder that is named, or says in one line why it cannot.
 */
import { join } from 'node:path'
import { ensureGoModule, type GoModule, type Log } from './go-build.ts'
import { asProgram } from './installer.ts'
import { ensureSchemas } from './kube-schemas.ts'

const names = ['helm', 'helm-unittest', 'helm-docs', 'kubeconform', 'actionlint'] as const
export type GoTool = (typeof names)[number]

/** Full path of each. */
export type GoTools = Readonly<Record<GoTool, string>>

const tools: GoModule = {
  name: 'go',
  title: names.join(', '),
  folder: 'tools',
  target: 'tool',
  // Not optimized: charts are small, and a compiler that does less is done sooner.
  flags: ['-gcflags=all=-N -l'],
}

/** @throws MillraceError `services` that says what is missing */
export const ensureGoTools = async (dataDir: string, log: Log): Promise<GoTools> => {
  const bin = await ensureGoModule(tools, dataDir, log)
  return Object.fromEntries(names.map((name) => [name, join(bin, name)])) as GoTools
}

if (import.meta.main) {
  const dataDir = process.argv[2] ?? ''
  await asProgram(Promise.all([ensureGoTools(dataDir, console.log), ensureSchemas(dataDir, console.log)]))
}
