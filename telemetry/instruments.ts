/** The instruments of the declared metrics: made once, by name; a name that is not declared does not compile. */
import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api'
import { type MetricName, metrics } from './metrics.ts'
import type { ObservedMetrics, Samples } from './observed.ts'

const optionsOf = (name: MetricName) => {
  const { doc, unit, buckets } = metrics[name]
  return {
    description: doc,
    unit,
    ...(buckets && { advice: { explicitBucketBoundaries: [...buckets] } }),
  }
}

export class Instruments {
  readonly #meter: Meter
  readonly #observed: ObservedMetrics
  readonly #counters = new Map<string, Counter>()
  readonly #histograms = new Map<string, Histogram>()
  /** On every sample. */
  readonly #always: Attributes

  constructor(meter: Meter, observed: ObservedMetrics, always: Attributes = {}) {
    this.#meter = meter
    this.#observed = observed
    this.#always = always
  }

  /** Present from now on, at 0: a rate needs a first value. */
  declare(name: MetricName, labels: Attributes = {}): void {
    const { kind } = metrics[name]
    if (kind === 'counter') this.#counter(name).add(0, this.#labels(name, labels))
  }

  add(name: MetricName, value: number, labels: Attributes = {}): void {
    this.#counter(name).add(value, this.#labels(name, labels))
  }

  record(name: MetricName, value: number, labels: Attributes = {}): void {
    this.#histogram(name).record(value, this.#labels(name, labels))
  }

  /** @param look asked at each collection: samples of value and labels; what it leaves out is gone */
  observe(name: MetricName, look: () => Samples): void {
    const { doc, unit, kind } = metrics[name]
    const all = () => [...look()].map(([value, labels = {}]) => [value, this.#labels(name, labels)] as const)
    this.#observed.add({ name, doc, unit, isCounter: kind === 'observed-counter', look: all })
  }

  /** Those of the metric's own labels that everything here has. */
  #labels(name: MetricName, labels: Attributes): Attributes {
    const wanted: readonly string[] = metrics[name].labels
    const always = Object.entries(this.#always).filter(([label]) => wanted.includes(label))
    return { ...Object.fromEntries(always), ...labels }
  }

  #counter(name: MetricName): Counter {
    const counter = this.#counters.get(name) ?? this.#meter.createCounter(name, optionsOf(name))
    this.#counters.set(name, counter)
    return counter
  }

  #histogram(name: MetricName): Histogram {
    const histogram = this.#histograms.get(name) ?? this.#meter.createHistogram(name, optionsOf(name))
    this.#histograms.set(name, histogram)
    return histogram
  }
}
