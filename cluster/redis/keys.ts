/**
 * Every key of Millrace in Redis, in one place. All begin with `{<cluster id>}`: the braces keep one cluster's keys in
 * one hash slot, so that its scripts also run on Redis Cluster, and two installations apart on one Redis.
 * (BullMQ keeps its own names, under the same braces.)
 */
export interface Keys {
  /** Made anew by whoever finds it missing: a changed one tells that Redis was emptied. */
  readonly generation: string
  /** Value: `<Kafka cluster id> <topic prefix>` of the installation that all of these are of; no time to live. */
  readonly home: string
  /** Value: `<term> <holder>`, with a time to live. */
  lease(name: string): string
  /** Last term given out; no time to live. */
  term(name: string): string
  /** Ids of the workers that have registered; their reports live under `worker`. */
  readonly workers: string
  /** Before a worker's id: its report, with a time to live. */
  readonly workerPrefix: string
  worker(worker: string): string
  /** Sorted by time: workers that left by themselves. */
  readonly left: string
  /** Sorted by the time until which they are believed: where the metrics of each process are. */
  readonly processes: string
  /** Slots of a pipeline that have published. */
  slots(pipeline: string): string
  /** Hash: `topic`, `epoch`, `highest`, `watermark`, `floor/<size>`. */
  head(pipeline: string, slot: number): string
  /** Sorted by start: `<size>/<start>` of each window that the slot holds a part of. */
  windows(pipeline: string, slot: number): string
  /** Before `<size>/<start>`: hash of aggregate -> `<state offset> <JSON>`. */
  partPrefix(pipeline: string, slot: number): string
}

export const keysOf = (clusterId: string): Keys => {
  const own = `{${clusterId}}`
  return {
    generation: `${own}:generation`,
    home: `${own}:home`,
    lease: (name) => `${own}:lease:${name}`,
    term: (name) => `${own}:term:${name}`,
    workers: `${own}:workers`,
    workerPrefix: `${own}:worker:`,
    worker: (worker) => `${own}:worker:${worker}`,
    left: `${own}:left`,
    processes: `${own}:processes`,
    slots: (pipeline) => `${own}:view:${pipeline}:slots`,
    head: (pipeline, slot) => `${own}:view:${pipeline}:${slot}:head`,
    windows: (pipeline, slot) => `${own}:view:${pipeline}:${slot}:windows`,
    partPrefix: (pipeline, slot) => `${own}:view:${pipeline}:${slot}:part:`,
  }
}
