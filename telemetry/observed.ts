/**
 * What is asked at each collection. The SDK's own observable instruments keep the last value of whatever they ever saw, and at
 * most 2,000 series a metric: a slot that moved away would be told here for ever. This producer remembers nothing.
 */
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics'

export type Samples = Iterable<readonly [value: number, labels?: Attributes]>

interface Observed {
  readonly name: string
  readonly doc: string
  readonly unit: string
  /** Rises only. */
  readonly isCounter: boolean
  readonly look: () => Samples
}

const hrTime = (ms: number): HrTime => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)]

export class ObservedMetrics implements MetricProducer {
  readonly #scope: string
  readonly #observed: Observed[] = []

  constructor(scope: string) {
    this.#scope = scope
  }

  add(observed: Observed): void {
    this.#observed.push(observed)
  }

  /** A look that fails leaves its metric out, and is told with the result. */
  async collect(): Promise<CollectionResult> {
    const errors: unknown[] = []
    const metrics = this.#observed.flatMap((one): MetricData[] => {
      try {
        return [dataOf(one)]
      } catch (error) {
        errors.push(error)
        return []
      }
    })
    const scopeMetrics = [{ scope: { name: this.#scope }, metrics }]
    return { resourceMetrics: { resource: resourceFromAttributes({}), scopeMetrics }, errors }
  }
}

const dataOf = ({ name, doc, unit, isCounter, look }: Observed): MetricData => {
  const startTime = hrTime(performance.timeOrigin)
  const endTime = hrTime(Date.now())
  const dataPoints = [...look()].map(([value, attributes = {}]) => ({
    value,
    attributes,
    startTime,
    endTime,
  }))
  const descriptor = { name, description: doc, unit, valueType: ValueType.DOUBLE }
  const common = { descriptor, dataPoints, aggregationTemporality: AggregationTemporality.CUMULATIVE }
  return isCounter
    ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true }
    : { ...common, dataPointType: DataPointType.GAUGE }
}
