/**
 * The retry queues as people look at them: bull-board under `/queues` of the coordinator. It shows the queue of every
 * pipeline that has workers or a plan, read-only unless the settings allow more. What is pressed there harms nothing: the
 * state topic decides what becomes of a record (protocol P4).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { HonoAdapter } from '@bull-board/hono'
import { getRequestListener } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Queue } from 'bullmq'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import type { Redis } from 'ioredis'
import { queuePlace } from '../cluster/redis/retry-queue.ts'
import type { Settings } from '../cluster/settings.ts'

export const QUEUES_PATH = '/queues'

export interface QueuePages extends AsyncDisposable {
  handle(request: IncomingMessage, response: ServerResponse): void
}

/** The page asks no other server, though it would load fonts from one: it works in a closed network and tells nobody of itself. */
const ownOnly = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    frameAncestors: ["'none'"],
  },
  // What a proxy in front speaks is its own business.
  strictTransportSecurity: false,
})

/** From a job to its trace. What stands in Redis is checked: it becomes part of an address. */
const linkOf = (traceUrl: string | undefined) => {
  if (traceUrl === undefined) return undefined
  const { href } = new URL(traceUrl.replaceAll('{traceId}', 'TRACE'))
  return ({ data }: { readonly data?: { readonly traceId?: unknown } }) => {
    const { traceId } = data ?? {}
    const isId = typeof traceId === 'string' && /^[0-9a-f]{32}$/.test(traceId)
    return { displayText: isId ? 'Trace' : 'No trace', href: isId ? href.replaceAll('TRACE', traceId) : '#' }
  }
}

/** @param redis the coordinator's own client @param pipelines asked at each request */
export const queuePages = (
  settings: Pick<Settings, 'clusterId' | 'topicPrefix' | 'queueActions' | 'traceUrl'>,
  redis: Redis,
  pipelines: () => readonly string[],
): QueuePages => {
  const queues = new Map<string, Queue>()
  const adapter = new HonoAdapter(serveStatic)
  const board = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Millrace retries', hideRedisDetails: true } },
  })
  const show = (pipeline: string) => {
    if (queues.has(pipeline)) return
    const { name, prefix } = queuePlace(settings.clusterId, pipeline, settings.topicPrefix)
    const queue = new Queue(name, { connection: redis, prefix, skipVersionCheck: true })
    // Redis away: the page says so, and the coordinator tells it by itself.
    queue.on('error', () => undefined)
    queues.set(pipeline, queue)
    const link = linkOf(settings.traceUrl)
    board.addQueue(
      new BullMQAdapter(queue, {
        readOnlyMode: !settings.queueActions,
        description: pipeline,
        ...(link && { externalJobUrl: link }),
      }),
    )
  }
  const app = new Hono().use(ownOnly).route(QUEUES_PATH, adapter.setBasePath(QUEUES_PATH).registerPlugin())
  const listen = getRequestListener(app.fetch)
  return {
    handle(request, response) {
      for (const pipeline of pipelines()) show(pipeline)
      void listen(request, response)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...queues.values()].map((queue) => queue.close()))
    },
  }
}
