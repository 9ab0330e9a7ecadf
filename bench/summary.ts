/** Medians over the rounds, their ratio, and the table that people read. Pure. */
import { count, table } from '../cli/output.ts'
import { type Sample, type System, systems } from './measure.ts'

export interface Summary {
  readonly recordsPerSecond: number
  readonly cpu: number
  readonly brokerCpu: number | undefined
  readonly peakMb: number
  readonly seconds: number
  readonly startCpuSeconds: number
}

export interface Report {
  readonly records: number
  readonly rounds: number
  readonly medians: Partial<Record<System, Summary>>
  /** Millrace to the loop, where both ran; else with telemetry to without. */
  readonly ratio?: { readonly rate: number; readonly cpu: number }
  readonly samples: readonly Sample[]
  readonly faults: readonly string[]
}

/** The middle one; of an even number the mean of the middle two. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN
  const high = sorted[Math.floor(middle)] ?? Number.NaN
  return (low + high) / 2
}

const summaryOf = (samples: readonly Sample[]): Summary => {
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick))
  const broker = samples.flatMap(({ brokerCpu }) => brokerCpu ?? [])
  return {
    recordsPerSecond: of((sample) => sample.recordsPerSecond),
    cpu: of((sample) => sample.cpu),
    brokerCpu: broker.length === 0 ? undefined : median(broker),
    peakMb: of((sample) => sample.peakMb),
    seconds: of((sample) => sample.seconds),
    startCpuSeconds: of((sample) => sample.startCpuSeconds),
  }
}

export const reportOf = (
  records: number,
  rounds: number,
  samples: readonly Sample[],
  faults: readonly string[],
): Report => {
  const medians: Partial<Record<System, Summary>> = {}
  for (const system of systems) {
    const own = samples.filter((sample) => sample.system === system)
    if (own.length > 0) medians[system] = summaryOf(own)
  }
  const { millrace, watched, loop } = medians
  const ratio = (loop && to(millrace, loop)) ?? (millrace && to(watched, millrace))
  return { records, rounds, medians, ...(ratio && { ratio }), samples, faults }
}

const to = (one: Summary | undefined, other: Summary) =>
  one && { rate: one.recordsPerSecond / other.recordsPerSecond, cpu: one.cpu / other.cpu }

const names = {
  millrace: 'Millrace, exactly once',
  watched: 'the same, telemetry on',
  loop: 'kafkajs loop, at least once',
} as const
const head = ['system', 'records/s', 'CPU s/million', 'broker CPU s/million', 'peak MB']

const row = (name: string, one: Pick<Summary, 'recordsPerSecond' | 'cpu' | 'brokerCpu' | 'peakMb'>) => [
  name,
  count(Math.round(one.recordsPerSecond)),
  one.cpu.toFixed(2),
  one.brokerCpu?.toFixed(2) ?? '-',
  one.peakMb.toFixed(0),
]

export const sampleLine = (sample: Sample): string => {
  const [name, rate, cpu, broker, peak] = row(sample.system, sample)
  return `round ${sample.round} ${name}: ${rate} records/s, CPU ${cpu} s per million (broker ${broker}), peak ${peak} MB; load ${sample.load.toFixed(1)}`
}

export const textOf = ({ records, rounds, medians, ratio, faults }: Report): string => {
  const rows = systems.flatMap((system) => {
    const summary = medians[system]
    return summary === undefined ? [] : [row(names[system], summary)]
  })
  const lines = [`${count(records)} records, ${rounds} rounds, medians`, table(head, rows)]
  const compared = medians.loop === undefined ? 'telemetry on to off' : 'Millrace to the loop'
  if (ratio !== undefined)
    lines.push(`${compared}: ${ratio.rate.toFixed(2)} x the rate, ${ratio.cpu.toFixed(2)} x the CPU`)
  return [...lines, ...faults.map((fault) => `FAULT ${fault}`)].join('\n')
}
