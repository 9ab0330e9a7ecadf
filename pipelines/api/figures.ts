/** Aggregates as those who word insights read them: numbers and rankings by name. */
import { type Aggregates, emptyValue, finalize, isCounts, topN, type Value } from './aggregates.ts'

export interface Figures {
  /** Of a count, sum, min, max or distinct; 0 where nothing was counted. */
  number(aggregate: string): number
  /** Of a `countBy`, `top` or `errors`: the most frequent first, ties to the label seen first; only `top` many of a `top`. */
  counts(aggregate: string): readonly (readonly [label: string, count: number])[]
}

/** @throws Error where an aggregate is asked for that the pipeline does not declare, or as what it is not. */
export const figuresOf = (aggregates: Aggregates, values: ReadonlyMap<string, Value>): Figures => {
  const find = (name: string) => {
    const aggregate = aggregates[name]
    if (aggregate === undefined) throw new Error(`no aggregate is called ${name}`)
    return { aggregate, value: values.get(name) ?? emptyValue(aggregate) }
  }
  return {
    number(name) {
      const { aggregate, value } = find(name)
      if (isCounts(value)) throw new Error(`${name} is counts by label, no number`)
      const shown = finalize(aggregate, value)
      return typeof shown === 'number' ? shown : 0
    },
    counts(name) {
      const { aggregate, value } = find(name)
      if (!isCounts(value)) throw new Error(`${name} is a number, no counts by label`)
      return topN(value, ('top' in aggregate && aggregate.top) || Number.POSITIVE_INFINITY)
    },
  }
}
