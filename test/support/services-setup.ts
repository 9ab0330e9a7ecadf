/**
 * Vitest's global setup: one Kafka broker and one Redis for the whole run, started when the first test file asks (runs without such
 * a test start nothing), ended with the run. Test files ask through a loopback port, because they live in other processes.
 */
import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { ensureServices, type Services, servicesFolder } from '../../cli/services/services.ts'
import { isAlive, readState } from '../../cli/services/state.ts'
import { readSettings } from '../../cluster/settings.ts'
import type { DoorReply } from './services.ts'

export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const name = `test-${process.pid}`
  const settings = readSettings({})
  await removeBroken(dirname(servicesFolder(settings, name)))
  let services: Promise<Services> | undefined
  const answer = async (): Promise<DoorReply> => {
    try {
      services ??= ensureServices(settings, { name, native: true, log: (line) => console.error(line) })
      const { kafka, redis } = await services
      return { ok: true, services: { kafka, redis } }
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) }
    }
  }
  const door = createServer((socket) => {
    socket.on('error', () => {}) // A test file that ends early needs no answer.
    void answer().then((reply) => socket.end(JSON.stringify(reply)))
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  project.provide('servicesDoor', (door.address() as AddressInfo).port)
  return async () => {
    door.close()
    if (services === undefined) return
    await services.then((started) => started.stop()).catch(() => {}) // It never started: its tests have said so.
    await rm(servicesFolder(settings, name), { recursive: true, force: true })
  }
}

/** Data of runs that were killed. */
const removeBroken = async (folder: string): Promise<void> => {
  const names = existsSync(folder) ? await readdir(folder) : []
  for (const name of names) {
    if (!/^test-\d+$/.test(name) || existsSync(join(folder, name, 'start.lock'))) continue
    const state = await readState(join(folder, name))
    if (state?.owner == null || isAlive(state.owner)) continue
    await rm(join(folder, name), { recursive: true, force: true })
  }
}
