/** How a log line is written: one JSON object a line (pino), text for people, or OTLP. None of them ever writes two lines for one. */
import {
  type Logger as OtlpLogger,
  ROOT_CONTEXT,
  SeverityNumber,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { pino } from 'pino'
import { printableText } from '../cluster/printable.ts'
import { parseTraceparent } from '../cluster/trace.ts'
import type { Level, Write } from './log.ts'

type Stream = Pick<NodeJS.WritableStream, 'write'>

const idsOf = (traceparent: string | undefined) => {
  const context = parseTraceparent(traceparent ?? '')
  return context && { trace_id: context.traceId, span_id: context.spanId }
}

/** @param who which process; a field of each line */
export const jsonSink = (who: string, stream: Stream): Write => {
  const options = {
    level: 'debug',
    base: { who },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const logger = pino(options, stream)
  return ({ level, event, text, fields, trace: traceparent }) =>
    logger[level]({ event, ...fields, ...idsOf(traceparent) }, text)
}

/** @param paint colours a level; absent: as it is */
export const textSink =
  (who: string, stream: Stream, paint: (level: Level, text: string) => string = (_, text) => text): Write =>
  ({ level, text, trace: traceparent }) => {
    const { trace_id: traceId } = idsOf(traceparent) ?? {}
    const line = `${who} ${printableText(text)}${traceId === undefined ? '' : ` [trace ${traceId}]`}`
    stream.write(`${new Date().toISOString()} ${paint(level, level.padEnd(5))} ${line}\n`)
  }

const severities: Readonly<Record<Level, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
}

export const otlpSink =
  (logger: OtlpLogger): Write =>
  ({ level, event, text, fields, trace: traceparent }) => {
    const context = parseTraceparent(traceparent ?? '')
    logger.emit({
      eventName: event,
      body: text,
      severityNumber: severities[level],
      severityText: level,
      attributes: { ...fields },
      ...(context && {
        context: trace.setSpanContext(ROOT_CONTEXT, { ...context, traceFlags: TraceFlags.SAMPLED }),
      }),
    })
  }
