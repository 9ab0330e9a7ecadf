/** The openssl command line, by which tests make certificates. A program like `prometheus-install.ts`. */
import { resolve } from 'node:path'
import { asProgram } from './installer.ts'
import { ensurePackage } from './package-install.ts'

const wanted = { title: 'openssl', name: 'openssl', programs: ['openssl'] } as const

if (import.meta.main) await asProgram(ensurePackage(wanted, resolve(process.argv[2] ?? ''), console.log))
