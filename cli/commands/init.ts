import { Command } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { buildScript, isClone, ownSpec } from '../init/manifest.ts'
import { scaffold } from '../init/scaffold.ts'
import { requireEmpty, writeAll } from '../init/write.ts'
import { note, print, styled } from '../output.ts'
import { run as runCommand } from '../services/run.ts'

interface Options {
  readonly from?: string
  readonly millrace?: string
}

export const initCommand = (): Command =>
  new Command('init')
    .description('Start a project of your own: a pipeline, its test, and what a deployment needs.')
    .argument('<dir>', 'a new or empty folder')
    .option('--from <pipeline>', "start from a shipped pipeline's source")
    .option('--millrace <spec>', 'what package.json says of millrace (default: the Millrace that runs)')
    .action(init)

const init = async (dir: string, options: Options): Promise<void> => {
  requireEmpty(dir)
  const millrace = options.millrace ?? ownSpec()
  const files = await scaffold({ ...options, folder: dir, millrace })
  if (isClone && options.millrace === undefined) await buildClone()
  await writeAll(dir, files)
  for (const path of files.keys()) note(`  ${path}`)
  print(`\n${styled('bold', 'Try next:')}\n  cd ${dir}\n  npm install\n  npm test\n  npm run dev`)
}

/** A project that depends on a clone runs what was built of it. */
const buildClone = async (): Promise<void> => {
  note('building the package of this clone (again with `npm run build`, after a change)')
  const ran = await runCommand(process.execPath, [buildScript])
  if (ran.code === 0) return
  const [line = ''] = ran.stderr.split('\n').filter((text) => text.includes('Error'))
  throw new MillraceError('internal', `the package does not build: ${line}`, {
    remedy: 'see `npm run build`',
  })
}
