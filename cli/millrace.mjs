#!/usr/bin/env node
/**
 * The program's entry, on any Node from 18 on. In a clone it runs the sources: where this Node is older than Millrace needs, on the
 * Node 24 of node_modules (after a set-up, where a fresh clone has none). In the package it runs `dist/`. Only Node's builtins here.
 * Law: no process stays behind. Whoever started us may die without a word to us: that counts as SIGTERM.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST_NODE = 24
/** kafkajs on Node 24 (its issue 1751): one warning a process, without harm. */
const FLAG = '--disable-warning=TimeoutNegativeWarning'

const args = process.argv.slice(2)
const inProject = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
/** The package holds no sources. */
const isClone = existsSync(inProject('cli/main.ts'))
const terminate = () => process.kill(process.pid, 'SIGTERM')

/** Runs the command in a child with our stdio, passes signals on, and ends as it ends. The channel tells the child of our death. */
const runOn = (node) => {
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc']
  const child = spawn(node, [FLAG, fileURLToPath(import.meta.url), ...args], { stdio })
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) process.on(name, () => child.kill(name))
  // On a terminal Ctrl-C reaches the child by itself; passed on, it would look like a second one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  child.on('error', (error) => fail(`${node} does not start: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

const fail = (why) => {
  process.stderr.write(`millrace: ${why}\n`)
  process.exit(1)
}

/** npm 10 and 11 die of SIGTERM without passing it on. */
const watchNpm = () => {
  const starter = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === starter) return
    clearInterval(timer)
    terminate()
  }, 250)
  timer.unref()
}

/**
 * What is compiled is kept for later starts, in the system's folder for temporary files unless NODE_COMPILE_CACHE names another:
 * half of the CPU of a start is compiling, also where a supervisor starts a worker again. Where nothing can be written nothing is kept.
 */
const keepCompiled = () => {
  const { directory } = module.enableCompileCache()
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ||= dirname(directory)
}

/**
 * The first process of a container has no default: a signal that nobody listens to is lost, and the container would be killed in
 * the end. So whoever has begun to drain decides, and before that we end as any process would.
 */
const endBySignal = () => {
  for (const name of ['SIGTERM', 'SIGINT'])
    process.on(name, () => {
      if (process.listenerCount(name) === 1) process.exit(128 + constants.signals[name])
    })
}

const runHere = async () => {
  keepCompiled()
  if (process.pid === 1) endBySignal()
  if (process.channel) {
    process.once('disconnect', terminate)
    process.channel.unref()
  }
  const { main } = await import(isClone ? './main.ts' : '../dist/cli/main.js')
  const code = await main(args)
  // What is still on its way to a pipe gets out first.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}

const run = async () => {
  const isOld = Number(process.versions.node.split('.')[0]) < OLDEST_NODE
  if (isOld && !isClone) {
    const remedy = 'install it from nodejs.org, or for this folder alone with `npm install node@24`'
    return fail(`Node ${OLDEST_NODE} or newer is needed, and this is ${process.versions.node}; ${remedy}`)
  }
  const isFreshClone = isClone && !existsSync(inProject('node_modules'))
  if (!isOld && !isFreshClone) return runHere()
  const { nodeOfProject, setUp } = await import('../scripts/setup.mjs')
  if (isFreshClone || nodeOfProject() === undefined) setUp()
  return isOld ? runOn(nodeOfProject()) : runHere()
}

if (process.env.npm_command !== undefined) watchNpm()
try {
  await run()
} catch (error) {
  fail(error.message)
}
