/** The files of a new project, as texts: nothing is written here. */
import { readFile } from 'node:fs/promises'
import { MillraceError } from '../../cluster/errors.ts'
import { nearest } from '../../cluster/nearest.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import { optionVariable } from '../../pipelines/api/options.ts'
import { shippedPipelines } from '../../pipelines/index.ts'
import { run } from '../../pipelines/testing.ts'
import { createGenerator } from '../generator.ts'
import { packageJson, packageName, tsconfigJson } from './manifest.ts'
import { type Files, userSource } from './source.ts'

const template = (name: string): Promise<string> =>
  readFile(new URL(`./template/${name}`, import.meta.url), 'utf8')

export interface Wanted {
  /** Its name is that of the package. */
  readonly folder: string
  /** What the project depends on. */
  readonly millrace: string
  /** A shipped pipeline to start from. */
  readonly from?: string
}

/** @throws MillraceError `usage` where no pipeline is called so */
export const scaffold = async ({ folder, millrace, from }: Wanted): Promise<Files> => {
  const { pipeline, files } = from === undefined ? await orders() : await shipped(from)
  const name = packageName(folder)
  return new Map([
    ['package.json', packageJson(name, millrace, [...files.values()])],
    ['tsconfig.json', tsconfigJson()],
    ...files,
    ['README.md', filled(await template('README.md.txt'), { name, ...said(pipeline) })],
    ['Dockerfile', await template('Dockerfile.txt')],
    ['.dockerignore', await template('dockerignore.txt')],
    ['.gitignore', await template('gitignore.txt')],
  ])
}

interface Start {
  readonly pipeline: AnyPipeline
  readonly files: Files
}

const orders = async (): Promise<Start> => {
  const { pipeline } = await import('./template/pipeline.ts')
  const files = await userSource('cli/init/template/pipeline')
  const records = await template('records.ndjson')
  const tests = await template('pipeline.test.ts.txt')
  return { pipeline, files: new Map([...files, ['pipeline.test.ts', tests], ['records.ndjson', records]]) }
}

/** What its records come to is tried here, and stands in the test. */
const shipped = async (name: string): Promise<Start> => {
  if (!shippedPipelines.has(name)) throw notShipped(name)
  const { pipeline } = await loadPipeline(name)
  const files = await userSource(`pipelines/${name}/pipeline`)
  const lines = madeUp()
  const { outcomes } = await run(pipeline, lines, { now: MOMENT })
  const seen = outcomes.map(({ outcome }) => `'${outcome}'`)
  const tests = filled(await template('shipped.test.ts.txt'), {
    now: `Date.parse('${new Date(MOMENT).toISOString()}')`,
    outcomes: `[${seen.join(', ')}]`,
  })
  const records = lines.map((line) => `${line}\n`).join('')
  return { pipeline, files: new Map([...files, ['pipeline.test.ts', tests], ['records.ndjson', records]]) }
}

const notShipped = (name: string): MillraceError => {
  const names = [...shippedPipelines.keys()]
  return new MillraceError('usage', `no shipped pipeline is called ${name}`, {
    remedy: `did you mean ${nearest(name, names)}? Shipped are ${names.join(', ')}`,
  })
}

/** All shipped pipelines are of logins. */
const MOMENT = Date.UTC(2026, 2, 1, 12)
const madeUp = (): readonly string[] => {
  const generator = createGenerator({ seed: 1, missing: 0, now: () => MOMENT })
  const [first, second] = [generator.next(), generator.next()].map(({ value }) => value.toString())
  return [first ?? '', second ?? '', '{"user_id":4711}']
}

const said = (pipeline: AnyPipeline) => {
  const { input, output, deadLetters } = pipeline.topics
  return {
    input,
    to: output === undefined ? 'insights' : `\`${output}\``,
    dead: deadLetters,
    needs: neededOptions(pipeline),
  }
}

const neededOptions = (pipeline: AnyPipeline): string => {
  const needed = Object.entries(pipeline.options?.properties ?? {}).filter(
    ([, type]) => !('default' in type) && !('~optional' in type),
  )
  if (needed.length === 0) return ''
  const names = needed.map(([name]) => `\`${optionVariable(name)}\``).join(', ')
  return `\nA deployment sets ${names}; secrets are made up by \`npm run dev\`.\n`
}

const filled = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? '')
