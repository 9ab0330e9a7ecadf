/**
 * The system's tools that local services need, and what to do about a missing one.
 * Finding looks at the machine; judging and planning are pure.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './run.ts'

/** Which of the two the settings do not name. */
export interface Needs {
  readonly kafka: boolean
  readonly redis: boolean
}

export type ToolName = 'java' | 'maven' | 'redis'

export interface Tool {
  readonly path: string
  /** 0 where none can be read from what it says. */
  readonly version: number
  /** Its own words about its version. */
  readonly says: string
}

export type FoundTools = { readonly [T in ToolName]: Tool | undefined }

export interface MissingTool {
  readonly tool: ToolName
  /** E.g. `Java 17 or newer (found 11)`. */
  readonly need: string
}

const MIN_JAVA = 17
const MIN_REDIS = 6.2

type Environment = Readonly<Record<string, string | undefined>>

/** Full path of a command on the path, or undefined. */
export const which = (command: string, env: Environment = process.env): string | undefined =>
  (env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, command))
    .find(isExecutable)

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const findTools = async (env: Environment = process.env): Promise<FoundTools> => {
  const home = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : undefined
  const java = home !== undefined && isExecutable(home) ? home : which('java', env)
  const redis = which('redis-server', env)
  const maven = which('mvn', env)
  return {
    java: await toolAt(java, '-version', /version "(\d+)/),
    redis: await toolAt(redis, '--version', /v=(\d+\.\d+)/),
    maven: maven === undefined ? undefined : { path: maven, version: 0, says: '' },
  }
}

const toolAt = async (path: string | undefined, flag: string, version: RegExp): Promise<Tool | undefined> => {
  if (path === undefined) return undefined
  const { stdout, stderr } = await run(path, [flag], { timeoutMs: 20_000 })
  const says = stdout + stderr
  return { path, version: Number(version.exec(says)?.[1] ?? 0), says }
}

/** Maven is only needed until Kafka's jars are there. */
export const missingTools = (found: FoundTools, needed: ReadonlySet<ToolName>): readonly MissingTool[] => {
  const missing: MissingTool[] = []
  const lacks = (tool: ToolName, name: string, least: number) => {
    if (!needed.has(tool)) return
    const has = found[tool]
    if (has !== undefined && has.version >= least) return
    missing.push({ tool, need: has === undefined ? name : `${name} (found ${has.version})` })
  }
  lacks('java', `Java ${MIN_JAVA} or newer`, MIN_JAVA)
  lacks('maven', 'Maven', 0)
  lacks('redis', `redis-server ${MIN_REDIS} or newer`, MIN_REDIS)
  return missing
}

export interface Machine {
  readonly platform: NodeJS.Platform
  readonly isRoot: boolean
  readonly hasApt: boolean
  readonly hasBrew: boolean
}

export type Remedy =
  /** We may install it ourselves. */
  | { readonly by: 'apt'; readonly packages: readonly string[] }
  /** Only a person can: the exact command. */
  | { readonly by: 'person'; readonly command: string }

const aptPackages: Readonly<Record<ToolName, string>> = {
  java: 'openjdk-17-jre-headless',
  maven: 'maven',
  redis: 'redis-server',
}
const brewPackages: Readonly<Record<ToolName, string>> = {
  java: 'openjdk@17',
  maven: 'maven',
  redis: 'redis',
}

export const remedyFor = (missing: readonly MissingTool[], machine: Machine): Remedy => {
  const apt = missing.map(({ tool }) => aptPackages[tool])
  const brew = missing.map(({ tool }) => brewPackages[tool])
  if (machine.hasApt && machine.isRoot) return { by: 'apt', packages: apt }
  if (machine.hasApt) return { by: 'person', command: `sudo apt-get install -y ${apt.join(' ')}` }
  if (machine.hasBrew || machine.platform === 'darwin') {
    // Homebrew keeps its Java off the path.
    const path = brew.includes('openjdk@17') ? ' && export JAVA_HOME="$(brew --prefix openjdk@17)"' : ''
    return { by: 'person', command: `brew install ${brew.join(' ')}${path}` }
  }
  const needs = missing.map(({ need }) => need).join(', ')
  return { by: 'person', command: `install ${needs} with your system's package manager` }
}

export const thisMachine = (): Machine => ({
  platform: process.platform,
  isRoot: process.getuid?.() === 0,
  hasApt: which('apt-get') !== undefined,
  hasBrew: which('brew') !== undefined,
})
