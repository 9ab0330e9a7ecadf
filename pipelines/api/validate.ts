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

const TOPICS = ['input', 'output', 'deadLetters']

const topicProblems: Rule = (topics) => {
  if (!isBag(topics)) return ['must be { input, output, deadLetters }']
  const set = TOPICS.filter((role) => topics[role] !== undefined || role !== 'output')
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
const FOLDS: readonly Aggregate['fold'][] = ['count', 'countBy', 'sum', 'min', 'max', 'distinct']

const aggregateProblems: Rule = (aggregate) => {
  if (!isBag(aggregate)) return ['must be an aggregate such as hourly.countBy("field")']
  const { fold, span, field, cap, size, retention } = aggregate
  const problems: string[] = []
  if (!FOLDS.some((known) => known === fold)) problems.push(`.fold must be one of ${FOLDS.join(', ')}`)
  if (span !== 'total' && span !== 'window') problems.push('.span must be window or total')
  if (fold !== 'count' && (typeof field !== 'string' || field === '' || field === '__proto__'))
    problems.push('.field must name a field')
  if (fold === 'countBy' && !positive(cap)) problems.push('.cap must be a whole number above 0')
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
  ]
}

export const isPipeline = (candidate: unknown): candidate is AnyPipeline =>
  pipelineProblems(candidate).length === 0
