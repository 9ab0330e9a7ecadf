/** The files of a TLS client: what authority it trusts, and what it shows of itself. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type ConnectionOptions, connect, createSecureContext } from 'node:tls'
import { sleep, systemClock } from './actor/clock.ts'
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

const PATIENCE_MS = 3000

/** Whether somebody there speaks TLS. The handshake alone; nothing is sent, so nothing is trusted. */
export const answersTls = async (host: string, port: number): Promise<boolean> => {
  const socket = connect({ host, port, rejectUnauthorized: false })
  const over = new AbortController()
  const answered = new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
  try {
    return await Promise.race([answered, sleep(systemClock, PATIENCE_MS, over.signal).then(() => false)])
  } finally {
    over.abort()
    socket.destroy()
  }
}

/** Of OpenSSL's own text the words that say what is wrong; Node's advice for people at a terminal is not for a server. */
export const tlsReason = (text: string): string => {
  const [, words] = /SSL routines:[^:]*:([^:]+)/.exec(text) ?? []
  return words === undefined ? (text.split(';')[0] ?? '') : words
}
