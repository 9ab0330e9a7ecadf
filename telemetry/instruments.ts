/** The instruments of the declared metrics: made once, by name; a name that is not declared does not compile. */
import type { Attributes, Counter, Histogram, Meter, ObservableResult } from '@opentelemetry/api'
import { type MetricName, metrics } from './metrics.ts'

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
  readonly #counters = new Map<string, Counter>()
  readonly #histograms = new Map<string, Histogram>()
  /** On every sample. */
  readonly #always: Attributes

  constructor(meter: Meter, always: Attributes = {}) {
    this.#meter = meter
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

  /** @param look asked at each collection: samples of value and labels */
  observe(name: MetricName, look: () => Iterable<readonly [value: number, labels?: Attributes]>): void {
    const options = optionsOf(name)
    const isCounter = metrics[name].kind === 'observed-counter'
    const instrument = isCounter
      ? this.#meter.createObservableCounter(name, options)
      : this.#meter.createObservableGauge(name, options)
    instrument.addCallback((result: ObservableResult) => {
      for (const [value, labels] of look()) result.observe(value, this.#labels(name, labels ?? {}))
    })
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
