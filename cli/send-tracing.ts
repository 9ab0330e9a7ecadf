/** Where a record's trace begins: some of the records that are sent carry a `traceparent`, and a span of their sending is told. */
import type { EventBus } from '../cluster/events.ts'
import { HEADER } from '../cluster/protocol/headers.ts'
import { formatTraceparent, rootContext } from '../cluster/trace.ts'
import type { OutgoingRecord, TopicProducer } from './produce.ts'
import type { Telemetry } from './telemetry.ts'

/** Spans of one send: a large one would flood whoever collects. */
const MOST = 20

/** The same producer where nothing is traced. A record that brings a trace of its own keeps it. */
export const tracedSends = (
  producer: TopicProducer,
  { sampling }: Pick<Telemetry, 'sampling'>,
  events: EventBus,
): TopicProducer => {
  if (sampling === undefined) return producer
  return {
    async send(records) {
      const begun = performance.now()
      const traces: string[] = []
      const marked = records.map((record): OutgoingRecord => {
        const isSampled = traces.length < MOST && Math.random() < sampling.ratio
        if (!isSampled || record.headers?.[HEADER.traceparent] !== undefined) return record
        const own = formatTraceparent(rootContext(true))
        traces.push(own)
        return { ...record, headers: { ...record.headers, [HEADER.traceparent]: [own] } }
      })
      await producer.send(marked)
      const ended = performance.now()
      for (const own of traces) events.emit('recordSent', { own, begun, ended })
    },
  }
}
