/** The files of a TLS client: what authority it trusts, and what it shows of itself. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { createSecureContext } from 'node:tls'
import { MillraceError, messageOf } from './errors.ts'

export interface TlsPaths {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

/**
 * @param of as in the names of the settings: MILLRACE_<of>_TLS_CA, _CERT, _KEY
 * @throws MillraceError `settings` where a file cannot be read, or is none of that kind
 */
export const tlsFiles = (of: string, { ca, cert, key }: TlsPaths): ConnectionOptions => {
  const files = {
    ...(ca === undefined ? {} : { ca: [fileOf(`${of}_TLS_CA`, ca)] }),
    ...(cert === undefined ? {} : { cert: fileOf(`${of}_TLS_CERT`, cert) }),
    ...(key === undefined ? {} : { key: fileOf(`${of}_TLS_KEY`, key) }),
  }
  try {
    // Of a file without any certificate it would trust nobody, and say nothing.
    if (ca !== undefined) new X509Certificate(readFileSync(ca))
    createSecureContext(files)
  } catch (cause) {
    throw new MillraceError('settings', `the files of MILLRACE_${of}_TLS_* are no use: ${messageOf(cause)}`, {
      remedy: 'give certificates and key as PEM, the key without a passphrase',
      cause,
    })
  }
  return files
}

const fileOf = (setting: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new MillraceError('settings', `the file of MILLRACE_${setting} cannot be read: ${path}`, { cause })
  }
}
