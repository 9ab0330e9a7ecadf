/** The end of each `*-install.ts` that is called as a program: what it lacks is one line on stderr, and an exit code. */
import { MillraceError } from '../../cluster/errors.ts'

export const asProgram = async (made: Promise<unknown>): Promise<void> => {
  try {
    await made
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    process.stderr.write(`${error.message}; ${error.remedy}\n`)
    process.exitCode = error.exitCode
  }
}
