/** A real Chromium without a window, led by its DevTools protocol. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { aptInstall } from '../../cli/services/apt.ts'
import { withLock } from '../../cli/services/lock.ts'
import { thisMachine, which } from '../../cli/services/tools.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { readSettings } from '../../cluster/settings.ts'

const log = (line: string) => console.error(line)
const installed = (): string | undefined => which('chromium') ?? which('chromium-browser')

/** Its path, or why there is none. Debian's package is installed where that is possible. */
export const findChromium = async (): Promise<
  { readonly path: string } | { readonly path: undefined; readonly lack: string }
> => {
  const found = installed()
  if (found !== undefined) return { path: found }
  const { hasApt, isRoot } = thisMachine()
  if (!hasApt || !isRoot) return { path: undefined, lack: 'no Chromium: install the package chromium' }
  const result = await withLock(join(resolve(readSettings({}).dataDir), 'chromium'), INSTALL_MS, () =>
    aptInstall(['chromium'], { yes: true, log }),
  )
  const path = installed()
  if (path !== undefined) return { path }
  return { path, lack: `no Chromium: ${result.installed ? 'apt brought none' : result.reason}` }
}

const INSTALL_MS = 10 * 60_000

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

/** One open page. */
export class Page {
  /** Status by address, of everything that was answered. */
  readonly answers = new Map<string, number>()
  /** Address by request, answered or not; without what its own policy forbade. */
  readonly asked = new Map<unknown, string>()
  /** What the page has complained of. */
  readonly errors: string[] = []
  readonly #socket: WebSocket
  readonly #calls = new Map<number, PromiseWithResolvers<Readonly<Record<string, unknown>>>>()
  #loaded = Promise.withResolvers<void>()
  #last = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Message))
    socket.addEventListener('close', () => {
      for (const call of this.#calls.values()) call.reject(new Error('Chromium has gone'))
    })
  }

  static async open(address: string): Promise<Page> {
    const socket = new WebSocket(address)
    await once(socket, 'open')
    const page = new Page(socket)
    for (const domain of ['Page', 'Network', 'Runtime']) await page.call(`${domain}.enable`)
    return page
  }

  call(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#last
    const call = Promise.withResolvers<Readonly<Record<string, unknown>>>()
    this.#calls.set(id, call)
    this.#socket.send(JSON.stringify({ id, method, params }))
    return call.promise
  }

  async go(url: string): Promise<void> {
    this.#loaded = Promise.withResolvers()
    await this.call('Page.navigate', { url })
    await this.#loaded.promise
  }

  /** @returns all that the page shows, once that is among it */
  async shows(pattern: RegExp, deadlineMs: number): Promise<string> {
    const waiting = this.call('Runtime.evaluate', { expression: whenShown(pattern), awaitPromise: true })
    const shown = await Promise.race([waiting.then(textOf), pause(deadlineMs)])
    if (shown !== undefined) return shown
    const text = textOf(await this.call('Runtime.evaluate', { expression: 'document.body.innerText' }))
    throw new Error(`it does not show ${pattern}, but:\n${text}\n${this.errors.join('\n')}`)
  }

  /** The first of these elements with that text. */
  async click(selector: string, text: string): Promise<void> {
    const all = `[...document.querySelectorAll(${JSON.stringify(selector)})]`
    const expression = `${all}.find(({ innerText }) => innerText === ${JSON.stringify(text)}).click()`
    const { exceptionDetails } = await this.call('Runtime.evaluate', { expression })
    if (exceptionDetails !== undefined) throw new Error(`no ${selector} says ${text}`)
  }

  close(): void {
    this.#socket.close()
  }

  #hear({ id, method, params = {}, result, error }: Message): void {
    if (id !== undefined) {
      if (error === undefined) this.#calls.get(id)?.resolve(result ?? {})
      else this.#calls.get(id)?.reject(new Error(error.message))
      this.#calls.delete(id)
    } else if (method === 'Page.loadEventFired') this.#loaded.resolve()
    else if (method === 'Network.responseReceived') {
      const { url, status } = params.response as { readonly url: string; readonly status: number }
      this.answers.set(url, status)
    } else if (method === 'Network.requestWillBeSent')
      this.asked.set(params.requestId, (params.request as { readonly url: string }).url)
    else if (method === 'Network.loadingFailed' && params.blockedReason === 'csp')
      this.asked.delete(params.requestId)
    else if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params.exceptionDetails))
  }
}

const textOf = ({ result }: Readonly<Record<string, unknown>>): string =>
  String((result as { readonly value?: unknown }).value)

/** Runs in the page: resolves with its text when that fits. */
const whenShown = ({ source, flags }: RegExp): string => `new Promise((resolve) => {
  const pattern = new RegExp(${JSON.stringify(source)}, ${JSON.stringify(flags)})
  const look = () => pattern.test(document.body.innerText) && resolve(document.body.innerText)
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true })
  look()
})`

/** For `await using`. */
export class Chromium implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #port: number
  readonly #pages: Page[] = []

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child
    this.#folder = folder
    this.#port = port
  }

  static async start(path: string): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-chromium-'))
    const own = [`--user-data-dir=${folder}`, '--remote-debugging-port=0', '--window-size=1280,1000']
    const child = spawn(path, [...FLAGS, ...own, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
    return new Chromium(child, folder, await portOf(child))
  }

  async page(url: string): Promise<Page> {
    const reply = await fetch(`http://127.0.0.1:${this.#port}/json/new?about:blank`, { method: 'PUT' })
    const { webSocketDebuggerUrl } = (await reply.json()) as { readonly webSocketDebuggerUrl: string }
    const page = await Page.open(webSocketDebuggerUrl)
    this.#pages.push(page)
    await page.go(url)
    return page
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const page of this.#pages) page.close()
    if (this.#child.exitCode === null) {
      const gone = once(this.#child, 'close')
      this.#child.kill()
      await gone
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Root has no sandbox; a container's /dev/shm is small. Nothing is asked of the network but the page. */
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--no-proxy-server',
]

const portOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    if (child.stderr === null) throw new Error('its words are not heard')
    const said: string[] = []
    createInterface(child.stderr).on('line', (line) => {
      said.push(line)
      const port = /^DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(line)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    child.once('error', reject)
    child.once('close', () => reject(new Error(`Chromium does not start: ${said.slice(-5).join('\n')}`)))
  })
