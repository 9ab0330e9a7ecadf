/**
 * Makes a clone ready to run: the locked dependencies, and Node 24 for an older system Node. Runs before `npm run demo`, `npm test`
 * and the like; needs nothing but Node 18. Quick and silent when nothing is to do: npm's own record of what it installed
 * (node_modules/.package-lock.json, written last) is compared with the lock file.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST_NODE = 24
const project = dirname(dirname(fileURLToPath(import.meta.url)))

const say = (line) => process.stderr.write(`set-up: ${line}\n`)

/** The Node of the npm package `node`, where it is installed. */
export const nodeOfProject = (root = project) => {
  const path = join(root, 'node_modules', 'node', 'bin', 'node')
  return existsSync(path) ? path : undefined
}

const packagesIn = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined)

/** Whether every locked package is there in its locked version. Those for other platforms are optional and absent. */
export const isInstalled = (root = project) => {
  const locked = packagesIn(join(root, 'package-lock.json'))
  const installed = packagesIn(join(root, 'node_modules', '.package-lock.json'))
  if (locked === undefined || installed === undefined) return false
  return Object.entries(locked).every(([path, entry]) => {
    if (path === '') return true
    const there = installed[path]
    return there === undefined ? entry.optional === true : there.version === entry.version
  })
}

/** The npm that runs us, else the one on the path. */
const npm = (root, args) => {
  const via = process.env.npm_execpath
  const [command, first] = via?.endsWith('.js') ? [process.execPath, [via]] : ['npm', []]
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  return spawnSync(command, [...first, ...args, ...quiet], { cwd: root, encoding: 'utf8' })
}

const install = (root) => {
  say('installing the locked dependencies (npm ci)')
  if (npm(root, ['ci', '--include=dev']).status === 0) return
  // A registry that lacks a package for some other platform leaves a lock file that `ci` refuses and `install` takes.
  say('npm ci refuses; trying npm install with the same lock file')
  const second = npm(root, ['install', '--no-save', '--include=dev'])
  if (second.status !== 0) throw new Error(`npm cannot install the dependencies:\n${second.stderr}`)
}

/**
 * The package `node` brings its program by an install script, which npm may be told to block. Then the package of this platform,
 * which has no script, is installed by itself and linked to the same place.
 */
const installNode = (root) => {
  const { version } = packagesIn(join(root, 'package-lock.json'))['node_modules/node']
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'
  const name = `${prefix}-${process.platform}-${process.arch}`
  say(`installing Node ${version} (${name})`)
  const aside = join(root, 'node_modules', '.runtime')
  mkdirSync(aside, { recursive: true })
  const flags = ['--no-save', '--no-package-lock', '--ignore-scripts', '--prefix', aside]
  const ran = npm(aside, ['install', ...flags, `${name}@${version}`])
  const program = join(aside, 'node_modules', name, 'bin', 'node')
  if (ran.status !== 0 || !existsSync(program))
    throw new Error(
      `Node ${OLDEST_NODE} or newer is needed and cannot be installed here; install it yourself\n${ran.stderr}`,
    )
  const place = join(root, 'node_modules', 'node', 'bin')
  mkdirSync(place, { recursive: true })
  linkSync(program, join(place, 'node'))
  const onPath = join(root, 'node_modules', '.bin', 'node')
  rmSync(onPath, { force: true })
  symlinkSync('../node/bin/node', onPath)
}

const isNewEnough = (version) => Number(version.replace(/^v/, '').split('.')[0]) >= OLDEST_NODE

const nodeRuns = (path) => {
  if (path === undefined) return false
  const ran = spawnSync(path, ['--version'], { encoding: 'utf8' })
  return ran.status === 0 && isNewEnough(ran.stdout)
}

/** @throws Error with what npm said */
export const setUp = (root = project) => {
  const ready = isInstalled(root)
  if (!ready) install(root)
  if (isNewEnough(process.version)) return
  const node = nodeOfProject(root)
  if (ready ? node === undefined : !nodeRuns(node)) {
    if (node !== undefined) rmSync(node)
    installNode(root)
  }
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  try {
    setUp()
  } catch (error) {
    say(error.message)
    process.exitCode = 1
  }
}
