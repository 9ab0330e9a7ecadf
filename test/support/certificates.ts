/** An authority and what it vouches for, made anew with openssl in a folder of the test's own. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Certificates extends AsyncDisposable {
  readonly folder: string
  /** Paths of PEM files. */
  readonly ca: string
  /** Of another authority, which vouches for nobody here. */
  readonly otherCa: string
  /** For servers on 127.0.0.1. */
  readonly server: { readonly cert: string; readonly key: string; readonly both: string }
  readonly client: { readonly cert: string; readonly key: string }
}

export const makeCertificates = async (): Promise<Certificates> => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tls-'))
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const at = (name: string) => join(folder, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = async (name: string) => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
    await openssl('req', '-x509', ...key, ...files, '-days', '2', '-subj', `/CN=${name}`)
  }
  const signed = async (name: string, extension: string) => {
    await writeFile(at(`${name}.ext`), extension)
    await openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
    await openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...by,
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    )
  }
  await authority('ca')
  await authority('other-ca')
  await signed('server', 'subjectAltName=IP:127.0.0.1\n')
  await signed('client', 'extendedKeyUsage=clientAuth\n')
  const both = `${await readFile(at('server.key'), 'utf8')}${await readFile(at('server.pem'), 'utf8')}`
  await writeFile(at('server-both.pem'), both)
  return {
    folder,
    ca: at('ca.pem'),
    otherCa: at('other-ca.pem'),
    server: { cert: at('server.pem'), key: at('server.key'), both: at('server-both.pem') },
    client: { cert: at('client.pem'), key: at('client.key') },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
