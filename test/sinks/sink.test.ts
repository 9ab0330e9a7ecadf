/** The flow on made-up ports: its bounds, its ends, and what it does when something fails. */
import { expect, test, vi } from 'vitest'
import type { Chunk, Reader, ReadSink } from '../../cluster/kafka/ports.ts'
import type { Document, Rejection } from '../../sinks/documents.ts'
import { Sink, type SinkOptions } from '../../sinks/sink.ts'
import { chunkOf, TOPIC } from './made.ts'

const RECORDS = 10
const values = Array.from({ length: RECORDS }, (_, n) => `{"n":${n}}`)
const CHUNK_BYTES = chunkOf(0, 0, values).bytes.length

/** Gives chunk after chunk of one partition, as long as it is wanted, up to `end`. */
class EndlessReader implements Reader {
  #sink: ReadSink | undefined
  #next = 0
  readonly #end: number
  constructor(end = Number.POSITIVE_INFINITY) {
    this.#end = end
  }
  open(_partition: number, offset: number, sink: ReadSink): void {
    this.#sink = sink
    this.#next = offset
    this.wake()
  }
  wake(): void {
    while (this.#sink?.wants() && this.#next < this.#end) {
      const chunk: Chunk = chunkOf(0, this.#next, values)
      this.#next = chunk.next
      this.#sink.chunk(chunk)
    }
  }
  fault(): void {
    this.#sink?.fault({ fault: 'position-gap', detail: 'gone' })
  }
  close(): void {}
  async stop(): Promise<void> {
    this.#sink = undefined
  }
}

const until = (holds: () => boolean) => vi.waitUntil(holds, { timeout: 10_000, interval: 1 })

const worldOf = (changes: Partial<SinkOptions> = {}) => {
  const written: Document[] = []
  const commits: { position: number; letters: number }[] = []
  const sink = new Sink({
    topic: TOPIC,
    reader: new EndlessReader(),
    store: {
      write: async (documents) => {
        written.push(...documents)
        return []
      },
    },
    commits: {
      commit: async (positions, letters) => {
        commits.push({ position: positions.get(0) ?? -1, letters: letters.length })
      },
    },
    positions: new Map([[0, 0]]),
    limits: { recordBytes: 1000, decompressedBytes: 1_000_000 },
    tally: { indexed: 0, rejected: 0 },
    heldBytes: 3 * CHUNK_BYTES,
    bulkRecords: 7,
    bulkBytes: 1_000_000,
    bulksInFlight: 2,
    commitInterval: 5,
    grace: 1000,
    ...changes,
  })
  return { sink, written, commits }
}

test('a store that stands still stops the reading: no more is held than the bound and one fetch', async () => {
  const gate = Promise.withResolvers<void>()
  let flying = 0
  let most = 0
  const write = async (): Promise<readonly Rejection[]> => {
    most = Math.max(most, ++flying)
    await gate.promise
    flying--
    return []
  }
  const stop = new AbortController()
  const reader = new EndlessReader()
  const { sink } = worldOf({ reader, store: { write } })
  const running = sink.run(stop.signal)
  await until(() => flying === 2)
  for (let round = 0; round < 100; round++) reader.wake()
  expect(sink.held).toBe(3 * CHUNK_BYTES)
  expect(most).toBe(2)
  gate.resolve()
  await until(() => (sink.positions.get(0) ?? 0) > 10 * RECORDS)
  expect(most).toBe(2)
  stop.abort()
  await running
})

test('it ends where it is told to, with everything written once and committed', async () => {
  const { sink, written, commits } = worldOf({
    reader: new EndlessReader(5 * RECORDS),
    until: new Map([[0, 5 * RECORDS]]),
  })
  await sink.run(new AbortController().signal)
  expect(written.map(({ record }) => record.offset)).toEqual(Array.from({ length: 5 * RECORDS }, (_, n) => n))
  expect(commits.at(-1)?.position).toBe(5 * RECORDS)
})

test('told to stop it waits for what is under way, commits that, and leaves the rest', async () => {
  const gate = Promise.withResolvers<void>()
  const { sink, commits } = worldOf({
    bulkRecords: RECORDS,
    bulksInFlight: 1,
    store: {
      write: async () => {
        await gate.promise
        return []
      },
    },
  })
  const stop = new AbortController()
  const running = sink.run(stop.signal)
  await until(() => sink.held > 0)
  stop.abort()
  gate.resolve()
  await running
  expect(commits).toEqual([{ position: RECORDS, letters: 0 }])
})

test('what outlasts the grace is given up and not committed', async () => {
  const { sink, commits } = worldOf({
    grace: 20,
    store: {
      write: (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    },
  })
  const stop = new AbortController()
  const running = sink.run(stop.signal)
  await until(() => sink.held > 0)
  stop.abort()
  await running
  expect(commits).toEqual([])
})

test('a failing store, a failing commit and a fault of the reader end it with their error', async () => {
  const never = new AbortController().signal
  const broken = async (): Promise<never> => {
    throw new Error('broken')
  }
  await expect(worldOf({ store: { write: broken } }).sink.run(never)).rejects.toThrow('broken')
  await expect(worldOf({ commits: { commit: broken } }).sink.run(never)).rejects.toThrow('broken')
  const reader = new EndlessReader()
  const running = worldOf({ reader }).sink.run(never)
  reader.fault()
  await expect(running).rejects.toMatchObject({ code: 'position-gap' })
})

test('a rejection becomes a letter in the commit that passes it', async () => {
  const { sink, commits } = worldOf({
    reader: new EndlessReader(RECORDS),
    until: new Map([[0, RECORDS]]),
    store: {
      write: async (documents) =>
        documents.slice(0, 1).map(({ record }) => ({ record, code: 'c', reason: '' })),
    },
  })
  await sink.run(new AbortController().signal)
  expect(commits).toEqual([{ position: RECORDS, letters: 2 }])
})
