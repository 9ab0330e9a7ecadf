/**
 * The order of test files: those that may take long come first, so that none of them is left over while the other workers idle.
 * What a file may take is the sum of the time limits that stand in it and in the files beside it that it imports.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const LIMIT = /\btimeout: ([\d_]+)/g
const BESIDE = /from '(\.\/[^']+)'/g

const limitsIn = (source: string): number =>
  [...source.matchAll(LIMIT)].reduce((sum, [, ms = '']) => sum + Number(ms.replaceAll('_', '')), 0)

/** ms */
export const mayTake = (file: string): number => {
  const source = readFileSync(file, 'utf8')
  const beside = [...source.matchAll(BESIDE)].map(([, path = '']) => join(dirname(file), path))
  const sources = [
    source,
    ...beside.filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8')),
  ]
  return sources.reduce((sum, one) => sum + limitsIn(one), 0)
}

export class LongestFirst extends BaseSequencer {
  /** Equal ones stay in vitest's own order: what failed before, then by its last duration, then by size. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => mayTake(b.moduleId) - mayTake(a.moduleId))
  }
}
