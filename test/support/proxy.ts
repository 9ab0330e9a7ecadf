/**
 * A TCP proxy that breaks things on purpose. For Kafka it knows the framing (4 bytes size; a request begins with api key, version
 * and correlation id, a reply with the correlation id), so that it can lose or hold the reply to one kind of request: the broker has
 * done the work, the client never hears of it. A broker must advertise the proxy's port (`advertisedPorts`), else clients go round it.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { onFrames } from './frames.ts'

/** Kafka's api keys, as far as tests name them. */
export const API = {
  produce: 0,
  fetch: 1,
  metadata: 3,
  findCoordinator: 10,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  endTxn: 26,
} as const

export interface Request {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  /** With its size. */
  readonly bytes: Buffer
}

/** Behind size, api key, version and correlation id stands the client id: a worker's is its own id. */
export const clientIdOf = ({ bytes }: Request): string =>
  bytes.toString('utf8', 14, 14 + bytes.readInt16BE(12))

export interface HeldReply {
  /** Resolves when the broker has answered that request and its reply is held back. */
  readonly held: Promise<Request>
  release(): void
}

export interface FaultProxy {
  readonly port: number
  readonly address: string
  /** `host:port` behind it; may be set when the proxy's own port is already known to the broker. */
  target: string
  /** Every request seen, oldest first, as api keys. */
  readonly seen: readonly number[]
  /** Client id of each connection that `cutClient` has ended or refused. */
  readonly refused: readonly string[]
  /** Ends all connections and refuses new ones until `resume`. */
  cut(): void
  /** Ends all connections of that client, and each new one at its first request, until `resume`. */
  cutClient(clientId: string): void
  /** Nothing passes in either direction until `resume`; connections stay. */
  pause(): void
  resume(): void
  /** Loses the replies to the next `count` requests of that kind, and their connections. Resolves when the last one is lost. */
  dropReply(apiKey: number, count?: number): Promise<void>
  /** The same, by any property of the request; its reply has come from the broker when this resolves. */
  dropNextResponse(fits?: (request: Request) => boolean): Promise<Request>
  /** Holds back the reply to the next request of that kind, and all later ones of its connection. */
  holdReply(apiKey: number, fits?: (request: Request) => boolean): HeldReply
  close(): Promise<void>
}

/** What happens to the first reply that fits. */
interface Rule {
  readonly fits: (request: Request) => boolean
  readonly met: (request: Request) => 'drop' | Promise<void>
}

interface State {
  target: string
  open: boolean
  flowing: boolean
  readonly framed: boolean
  readonly rules: Rule[]
  readonly seen: number[]
  readonly pairs: Set<Pair>
  /** Client ids that nothing passes from. */
  readonly cut: Set<string>
  readonly refused: string[]
}

interface Pair {
  readonly client: Socket
  readonly broker: Socket
  /** Known from its first request on. */
  clientId?: string
}

const LOOPBACK = '127.0.0.1'

export const startProxy = async (
  options: { readonly target?: string; readonly protocol?: 'kafka' | 'raw' } = {},
): Promise<FaultProxy> => {
  const state: State = {
    target: options.target ?? '',
    open: true,
    flowing: true,
    framed: options.protocol !== 'raw',
    rules: [],
    seen: [],
    pairs: new Set(),
    cut: new Set(),
    refused: [],
  }
  const server = createServer((client) => accept(state, client))
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    address: `${LOOPBACK}:${port}`,
    get target() {
      return state.target
    },
    set target(address) {
      state.target = address
    },
    seen: state.seen,
    refused: state.refused,
    ...flowOf(state),
    ...faultsOf(state),
    close: () => close(server, state),
  }
}

const flowOf = (state: State) => ({
  cut: () => {
    state.open = false
    for (const pair of state.pairs) end(pair)
  },
  cutClient: (clientId: string) => {
    state.cut.add(clientId)
    for (const pair of state.pairs) if (pair.clientId === clientId) refuse(state, pair)
  },
  pause: () => {
    state.flowing = false
    for (const { client, broker } of state.pairs) for (const socket of [client, broker]) socket.pause()
  },
  resume: () => {
    state.open = true
    state.flowing = true
    state.cut.clear()
    for (const { client, broker } of state.pairs) for (const socket of [client, broker]) socket.resume()
  },
})

const faultsOf = (state: State) => {
  const dropNextResponse = (fits: (request: Request) => boolean = () => true): Promise<Request> =>
    new Promise((resolve) => {
      const met = (request: Request) => {
        resolve(request)
        return 'drop' as const
      }
      state.rules.push({ fits, met })
    })
  return {
    dropNextResponse,
    dropReply: async (apiKey: number, count = 1): Promise<void> => {
      const fits = (request: Request) => request.apiKey === apiKey
      await Promise.all(Array.from({ length: count }, () => dropNextResponse(fits)))
    },
    holdReply: (apiKey: number, fits: (request: Request) => boolean = () => true): HeldReply => {
      const held = Promise.withResolvers<Request>()
      const released = Promise.withResolvers<void>()
      const met = (request: Request) => {
        held.resolve(request)
        return released.promise
      }
      state.rules.push({ fits: (request) => request.apiKey === apiKey && fits(request), met })
      return { held: held.promise, release: () => released.resolve() }
    },
  }
}

const end = ({ client, broker }: Pair): void => {
  client.destroy()
  broker.destroy()
}

const refuse = (state: State, pair: Pair): void => {
  state.refused.push(pair.clientId ?? '')
  end(pair)
}

const close = async (server: Server, state: State): Promise<void> => {
  for (const pair of state.pairs) end(pair)
  await new Promise((resolve) => server.close(resolve))
}

const accept = (state: State, client: Socket): void => {
  if (!state.open || state.target === '') {
    client.destroy()
    return
  }
  const colon = state.target.lastIndexOf(':')
  const broker = connect(Number(state.target.slice(colon + 1)), state.target.slice(0, colon))
  const pair: Pair = { client, broker }
  state.pairs.add(pair)
  for (const socket of [client, broker]) {
    socket.setNoDelay(true)
    socket.on('error', () => end(pair)) // A reset is an end like any other here.
    socket.on('close', () => {
      state.pairs.delete(pair)
      end(pair)
    })
    if (!state.flowing) socket.pause()
  }
  if (state.framed) relayFrames(state, pair)
  else {
    client.on('data', (bytes) => broker.write(bytes))
    broker.on('data', (bytes) => client.write(bytes))
  }
}

const relayFrames = (state: State, pair: Pair): void => {
  const { client, broker } = pair
  const unanswered = new Map<number, Request>()
  let queue = Promise.resolve()
  onFrames(client, (bytes) => {
    const request = {
      apiKey: bytes.readInt16BE(4),
      apiVersion: bytes.readInt16BE(6),
      correlationId: bytes.readInt32BE(8),
      bytes,
    }
    pair.clientId ??= clientIdOf(request)
    if (state.cut.has(pair.clientId)) return refuse(state, pair)
    state.seen.push(request.apiKey)
    unanswered.set(request.correlationId, request)
    broker.write(bytes)
  })
  onFrames(broker, (bytes) => {
    const request = unanswered.get(bytes.readInt32BE(4))
    unanswered.delete(bytes.readInt32BE(4))
    const verdict = request === undefined ? undefined : judge(state.rules, request)
    if (verdict === 'drop') end(pair)
    if (verdict instanceof Promise) queue = queue.then(() => verdict)
    queue = queue.then(() => void client.write(bytes))
  })
}

/** A rule serves once. */
const judge = (rules: Rule[], request: Request): 'drop' | Promise<void> | undefined => {
  const index = rules.findIndex((rule) => rule.fits(request))
  return index < 0 ? undefined : rules.splice(index, 1)[0]?.met(request)
}
