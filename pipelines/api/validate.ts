/** What a module exports against what a pipeline is: the problems, each naming the place. Empty means it is one. */
import { IsObject } from 'typebox'
import { nearest } from '../../cluster/nearest.ts'
import type { Aggregate } from './aggregates.ts'
import type { AnyPipeline } from './define.ts'

type Bag = Readonly<Record<string, unknown>>
/** What is wrong with the value of one field; undefined where nothing is. */
type Rule = (value: unknown) => readonly string[]

const isBag = (value: unknown): value is Bag =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Kafka's own rule for topics; pipeline and aggregate names become parts of topics and keys. */
const LEGAL_NAME = /^[a-zA-Z0-9._-]+$/
/** Kafka allows 249; prefix, `millrace.` and `.retried` need room. */
const NAME_LENGTH = 200

const nameProblems: Rule = (value) => {
  if (typeof value !== 'string' || !LEGAL_NAME.test(value) || value === '.' || value === '..')
    return ['must be letters, digits, ".", "_" and "-"']
  return value.length > NAME_LENGTH ? [`is longer than ${NAME_LENGTH}`] : []
}

const within = (place: string, problems: readonly string[]): readonly string[] =>
  problems.map((problem) => `${place}${/^[.:]/.test(problem) ? '' : ' '}${problem}`)

const TOPICS = ['input', 'output', 'deadLetters', 'insights', 'clusterInsights']
const NEEDED_TOPICS = ['input', 'deadLetters']

const topicProblems: Rule = (topics) => {
  if (!isBag(topics)) return ['must be { input, output, deadLetters }']
  const set = TOPICS.filter((role) => topics[role] !== undefined || NEEDED_TOPICS.includes(role))
  const twice = set.filter((role, i) => set.some((other, j) => j < i && topics[other] === topics[role]))
  return [
    ...unknownKeys(topics, TOPICS),
    ...set.flatMap((role) => within(`.${role}`, nameProblems(topics[role]))),
    ...twice.map((role) => `.${role} is the same topic as another`),
  ]
}

/** `__proto__` would be no field but the prototype. */
const schemaProblems: Rule = (schema) => {
  if (!IsObject(schema)) return ['must be Type.Object({...}) of typebox']
  return Object.hasOwn(schema.properties, '__proto__') ? ['must not have a field __proto__'] : []
}

const functionProblems: Rule = (value) => (typeof value === 'function' ? [] : ['must be a function'])

const maskProblems: Rule = (masks) => {
  if (!isBag(masks)) return ['must be { field: (text) => text }']
  return Object.entries(masks).flatMap(([field, mask]) => within(`.${field}`, functionProblems(mask)))
}

const positive = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0
const FOLDS: readonly Aggregate['fold'][] = ['count', 'countBy', 'sum', 'min', 'max', 'distinct', 'errors']
const WITHOUT_FIELD: readonly unknown[] = ['count', 'errors']
const SPANS: readonly Aggregate['span'][] = ['window', 'total', 'batch']

const aggregateProblems: Rule = (aggregate) => {
  if (!isBag(aggregate)) return ['must be an aggregate such as hourly.countBy("field")']
  const { fold, span, field, cap, top, size, retention } = aggregate
  const problems: string[] = []
  if (!FOLDS.some((known) => known === fold)) problems.push(`.fold must be one of ${FOLDS.join(', ')}`)
  if (!SPANS.some((known) => known === span)) problems.push(`.span must be one of ${SPANS.join(', ')}`)
  if (fold === 'errors' && span !== 'total') problems.push('.span must be total: errors have no event time')
  if (!WITHOUT_FIELD.includes(fold) && (typeof field !== 'string' || field === '' || field === '__proto__'))
    problems.push('.field must name a field')
  if (fold === 'countBy' && !positive(cap)) problems.push('.cap must be a whole number above 0')
  if (top !== undefined && !positive(top)) problems.push('.top must be a whole number above 0')
  if (span === 'window' && !positive(size)) problems.push('.size must be whole ms above 0')
  if (span === 'window' && !(positive(retention) || retention === 0))
    problems.push('.retention must be whole ms')
  return problems
}

const aggregatesProblems: Rule = (aggregates) => {
  if (!isBag(aggregates)) return ['must be { name: aggregate }']
  return Object.entries(aggregates).flatMap(([name, aggregate]) =>
    within(`.${name}`, [...within(': its name', nameProblems(name)), ...aggregateProblems(aggregate)]),
  )
}

const numberProblems =
  (fits: (value: number) => boolean, what: string): Rule =>
  (value) =>
    typeof value === 'number' && fits(value) ? [] : [`must be ${what}`]

const wholeAboveZero = numberProblems(positive, 'a whole number above 0')

/** A bag of exactly these fields; those that are optional may be absent. */
const fieldsProblems =
  (shape: string, fields: Readonly<Record<string, Rule>>, optional: readonly string[] = []): Rule =>
  (value) => {
    if (!isBag(value)) return [`must be ${shape}`]
    return [
      ...unknownKeys(value, Object.keys(fields)),
      ...Object.entries(fields).flatMap(([key, rule]) =>
        value[key] === undefined && optional.includes(key) ? [] : within(`.${key}`, rule(value[key])),
      ),
    ]
  }

const eachProblems: Rule = (each) => (typeof each === 'function' ? [] : wholeAboveZero(each))

const insightsProblems = fieldsProblems('{ each, messages }', {
  each: eachProblems,
  messages: functionProblems,
})
const clusterInsightsProblems = fieldsProblems('{ seconds, messages }', {
  seconds: numberProblems((seconds) => seconds >= 1, 'a number from 1 on'),
  messages: functionProblems,
})
const retriesProblems = fieldsProblems(
  '{ attempts, delay, jitter }',
  {
    attempts: wholeAboveZero,
    delay: numberProblems((ms) => ms >= 0, 'ms from 0 on'),
    jitter: numberProblems((share) => share >= 0 && share <= 1, 'a share from 0 to 1'),
  },
  ['attempts', 'delay', 'jitter'],
)

/** What only the whole shows. */
const contradictions = ({ topics, insights, aggregates }: Bag): readonly string[] => {
  const bags = isBag(aggregates) ? Object.entries(aggregates) : []
  const counted = bags.filter(([, aggregate]) => isBag(aggregate) && aggregate.span === 'batch')
  return [
    ...(insights !== undefined && isBag(topics) && topics.insights === undefined
      ? ['.insights needs .topics.insights, where they go']
      : []),
    ...(insights === undefined
      ? counted.map(([name]) => `.aggregates.${name} is of a batch: .insights must say of how many records`)
      : []),
  ]
}

const rules: Readonly<Record<keyof AnyPipeline, Rule>> = {
  name: nameProblems,
  topics: topicProblems,
  schema: schemaProblems,
  options: schemaProblems,
  setup: functionProblems,
  process: functionProblems,
  masks: maskProblems,
  eventTime: functionProblems,
  aggregates: aggregatesProblems,
  insights: insightsProblems,
  clusterInsights: clusterInsightsProblems,
  retries: retriesProblems,
  errorClass: functionProblems,
  alertAt: wholeAboveZero,
  repair: functionProblems,
}
const REQUIRED = ['name', 'topics', 'schema']

const unknownKeys = (bag: Bag, known: readonly string[]): readonly string[] =>
  Object.keys(bag)
    .filter((key) => !known.includes(key))
    .map((key) => `.${key} is unknown; did you mean ${nearest(key, known)}?`)

export const pipelineProblems = (candidate: unknown): readonly string[] => {
  if (!isBag(candidate)) return ['is no object made by definePipeline({...})']
  return [
    ...unknownKeys(candidate, Object.keys(rules)),
    ...Object.entries(rules).flatMap(([key, rule]) =>
      candidate[key] === undefined && !REQUIRED.includes(key) ? [] : within(`.${key}`, rule(candidate[key])),
    ),
    ...contradictions(candidate),
  ]
}

export const isPipeline = (candidate: unknown): candidate is AnyPipeline =>
  pipelineProblems(candidate).length === 0
