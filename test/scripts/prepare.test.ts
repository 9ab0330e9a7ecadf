import { mkdtempSync, rmSync } from 'node:fs'
import { constants, getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../cli/services/run.ts'

const urlOf = (path: string): string => pathToFileURL(join(import.meta.dirname, path)).href

/** What `code` prints, which has `grounds` of the fixture and `setUp`, their preparation under way. */
const prepared = async (code: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const script = `
    import { prepare } from '${urlOf('../../scripts/prepare.mjs')}'
    import { grounds } from '${urlOf('fixtures/grounds.mjs')}'
    const named = (name) => grounds.find((ground) => ground.name === name)
    const start = (...names) => prepare(names.map(named), (text) => process.stdout.write(text), '${urlOf('fixtures/grounds.mjs')}')
    ${code}`
  const ran = await run(process.execPath, ['--input-type=module', '-e', script], { env })
  return ran.stdout + ran.stderr
}

const low = Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL)

test('it begins by itself, at low priority; what it prints is kept until somebody waits for it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-prepare-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const script = `
    import { existsSync } from 'node:fs'
    import { setTimeout } from 'node:timers/promises'
    const { ready } = start('there', 'marked')
    while (!existsSync(process.env.MARK)) await setTimeout(5)
    console.log('nobody has waited')
    console.log('there:', await ready(named('there')))`
  const said = await prepared(script, { MARK: join(folder, 'mark') })
  expect(said).toBe(`nobody has waited\nbuilding there at ${low}\nthere: undefined\n`)
})

test('what lacks is told in one line with its remedy, and the next is made ready all the same', async () => {
  const said = await prepared(`
    const { ready } = start('lacking', 'there')
    for (const name of ['lacking', 'there']) console.log(name + ':', await ready(named(name)))`)
  expect(said).toContain('lacking: no compiler; install one\n')
  expect(said).toContain('there: undefined\n')
})

test('where it dies, what it has not told lacks, and nobody waits for ever', async () => {
  const said = await prepared(`
    const { ready } = start('there', 'fatal', 'behind')
    for (const name of ['there', 'fatal', 'behind']) console.log(name + ':', await ready(named(name)))`)
  expect(said).toMatch(/^there: undefined$/m)
  expect(said).toMatch(/^fatal: the set-up ended by itself \(7\)$/m)
  expect(said).toMatch(/^behind: the set-up ended by itself \(7\)$/m)
})

test('where nothing is to be made ready nothing is started', async () => {
  expect(await prepared(`start(); console.log('done')`)).toBe('done\n')
})

test('a test file belongs to the first ground whose helpers it comes to', async () => {
  const script = `
    import { groundOf } from '${urlOf('../../scripts/grounds.mjs')}'
    const name = (path) => groundOf('${join(import.meta.dirname, '..')}/' + path)?.name
    console.log(JSON.stringify([
      'sinks/opensearch/opensearch.test.ts', 'guarantees/kill.test.ts', 'ports/kafka.test.ts', 'workers/ledger.test.ts'
    ].map(name)))`
  const ran = await run(process.execPath, ['--input-type=module', '-e', script])
  const [search, ...kafka] = JSON.parse(ran.stdout)
  expect(search).toBe('tests on a real OpenSearch')
  expect(kafka).toEqual(['tests on real Kafka and Redis', 'tests on real Kafka and Redis', null])
})
