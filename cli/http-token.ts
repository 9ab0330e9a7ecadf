/**
 * The token of the coordinator's login, kept in a file: made once by whoever starts first, the same for all that share the
 * file. Law: it appears whole, readable by its owner only, and is never written again.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MillraceError } from '../cluster/errors.ts'
import type { Settings } from '../cluster/settings.ts'

const BYTES = 32
/** Of a token that somebody else put there. */
const LEAST_LENGTH = 16

/** The token that counts, empty where there is none. @throws MillraceError `settings` where the file cannot be used */
export const httpTokenOf = async ({
  httpToken,
  httpTokenPath,
}: Pick<Settings, 'httpToken' | 'httpTokenPath'>): Promise<string> => {
  if (httpToken !== '' || httpTokenPath === undefined) return httpToken
  const kept = (await read(httpTokenPath)) ?? (await make(httpTokenPath))
  if (kept.length >= LEAST_LENGTH && !/\s/.test(kept)) return kept
  throw unfit(httpTokenPath, `holds no token of ${LEAST_LENGTH} characters or more`)
}

const unfit = (path: string, why: string, cause?: unknown): MillraceError =>
  new MillraceError('settings', `MILLRACE_HTTP_TOKEN_PATH ${path} ${why}`, {
    remedy: 'delete the file and start again, or name one in a folder that may be written',
    cause,
  })

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

const read = async (path: string): Promise<string | undefined> => {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw unfit(path, `cannot be read (${codeOf(error)})`, error)
  }
}

/** Another start may be quicker: then its token counts. */
const make = async (path: string): Promise<string> => {
  const own = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`
  const token = randomBytes(BYTES).toString('base64url')
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(own, `${token}\n`, { mode: 0o600, flag: 'wx' })
    await link(own, path)
    return token
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unfit(path, `cannot be made (${codeOf(error)})`, error)
    return (await read(path)) ?? ''
  } finally {
    await rm(own, { force: true })
  }
}
