/**
 * What runs under one name, as a file in its folder: found by later commands, and by the start after a crash.
 * A process is known by pid and start time, so that a reused pid is never taken for ours.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { kafkaAnswers, redisAnswers } from './ready.ts'

export interface ProcessMark {
  readonly name: string
  readonly pid: number
  /** Start time in the kernel's ticks; empty where the system does not tell. */
  readonly started: string
}

export interface ServicesState {
  readonly kind: 'native' | 'compose'
  /** Who stops them; null when they were left running by `services up`. */
  readonly owner: ProcessMark | null
  /** Empty where Kafka or Redis is given by the settings. */
  readonly kafka: readonly string[]
  /** Of a second cluster, for outputs and state. */
  readonly home?: readonly string[]
  readonly redis: string
  readonly processes: readonly ProcessMark[]
}

const fileIn = (folder: string): string => join(folder, 'state.json')

export const readState = async (folder: string): Promise<ServicesState | undefined> => {
  if (!existsSync(fileIn(folder))) return undefined
  return JSON.parse(await readFile(fileIn(folder), 'utf8')) as ServicesState
}

export const writeState = async (folder: string, state: ServicesState): Promise<void> => {
  await mkdir(dirname(fileIn(folder)), { recursive: true })
  const partial = `${fileIn(folder)}.${process.pid}`
  await writeFile(partial, `${JSON.stringify(state, null, 2)}\n`)
  await rename(partial, fileIn(folder))
}

export const removeState = (folder: string): Promise<void> => rm(fileIn(folder), { force: true })

/** Linux only: state and start time are fields 3 and 22 of /proc/<pid>/stat, counted behind the command name, which may hold blanks. */
const look = (pid: number): { readonly state: string; readonly started: string } => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', started: fields[19] ?? '' }
  } catch {
    return { state: '', started: '' }
  }
}

export const markOf = (name: string, pid: number): ProcessMark => ({ name, pid, started: look(pid).started })

/** A zombie is dead: in a container nobody may ever collect it. */
export const isAlive = (mark: ProcessMark): boolean => {
  try {
    process.kill(mark.pid, 0)
  } catch {
    return false
  }
  const { state, started } = look(mark.pid)
  return state !== 'Z' && started === mark.started
}

/** Every process lives, nobody has to end them because their owner died, and every address answers. */
export const stateAnswers = async (state: ServicesState): Promise<boolean> => {
  if (state.owner !== null && !isAlive(state.owner)) return false
  if (!state.processes.every(isAlive)) return false
  const kafka = [...state.kafka, ...(state.home ?? [])].map((address) => kafkaAnswers(address, 1))
  const redis = state.redis === '' ? [] : [redisAnswers(state.redis)]
  return (await Promise.all([...kafka, ...redis])).every(Boolean)
}
