/**
 * A process of its own that ends what its starter left behind, however the starter died (SIGKILL included).
 * Its law: when standard input closes, everything still on the list gets SIGTERM, after the grace SIGKILL; then it ends itself.
 * Standard input brings one JSON object a line: {"add": pid}, {"drop": pid}, or {"atEnd": [command, ...args]}.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const GRACE_MS = 5000
const POLL_MS = 20

const guarded = new Set()
const commands = []

const signal = (pid, name) => {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false // It is gone: nothing is left to end.
  }
}

/** In a container nobody may ever collect a dead orphan: it still takes signals. */
const isZombie = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false // No such file system here.
  }
}

const endAll = async () => {
  for (const pid of guarded) signal(pid, 'SIGTERM')
  const deadline = Date.now() + GRACE_MS
  while (guarded.size > 0 && Date.now() < deadline) {
    await delay(POLL_MS)
    for (const pid of guarded) if (!signal(pid, 0) || isZombie(pid)) guarded.delete(pid)
  }
  for (const pid of guarded) signal(pid, 'SIGKILL')
  for (const [command, ...args] of commands) spawnSync(command, args, { stdio: 'ignore', timeout: 30_000 })
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {})

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const order = JSON.parse(line)
  if (order.add !== undefined) guarded.add(order.add)
  if (order.drop !== undefined) guarded.delete(order.drop)
  if (order.atEnd !== undefined) commands.push(order.atEnd)
})
lines.on('close', endAll)
