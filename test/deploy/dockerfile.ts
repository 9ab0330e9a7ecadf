/** The Dockerfile as its instructions, and the folder that its last stage would hold. No engine is needed. */
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../house/tree.ts'

export interface Instruction {
  readonly name: string
  /** What follows the name; lines that go on are joined. */
  readonly text: string
}

export const instructionsOf = (text: string): readonly Instruction[] =>
  text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? []
      return { name, text: rest }
    })

export const dockerfile = instructionsOf(readFileSync(join(root, 'deploy/Dockerfile'), 'utf8'))

/** Instructions by stage, each from its FROM on. */
export const stages: readonly (readonly Instruction[])[] = dockerfile.reduce<Instruction[][]>((all, one) => {
  if (one.name === 'FROM') all.push([])
  all.at(-1)?.push(one)
  return all
}, [])

export const lastStage = stages.at(-1) ?? []

export const textsOf = (name: string, stage = lastStage): readonly string[] =>
  stage.filter((one) => one.name === name).map(({ text }) => text)

/** Sources of the clone and where each goes, from the root and from /app. */
export const copies: readonly { readonly from: string; readonly to: string }[] = textsOf('COPY')
  .filter((text) => !text.startsWith('--from='))
  .flatMap((text) => {
    const words = text.split(/\s+/)
    const to = words.at(-1) ?? ''
    return words.slice(0, -1).map((from) => ({ from, to: to.endsWith('/') ? join(to, from) : to }))
  })

/** ENTRYPOINT, CMD and the like in their exec form. @throws where one has a shell */
export const execForm = (name: string): readonly string[] => {
  const [text = ''] = textsOf(name)
  return JSON.parse(text.replace(/^.*?(?=\[)/s, '')) as readonly string[]
}

export const environment: Readonly<Record<string, string>> = Object.fromEntries(
  textsOf('ENV').flatMap((text) =>
    [...text.matchAll(/([A-Z_]+)=("[^"]*"|\S+)/g)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll('"', ''),
    ]),
  ),
)

/** What the image has under /app, but for node_modules. */
export const copyImage = (folder: string): void => {
  for (const { from, to } of copies) {
    mkdirSync(dirname(join(folder, to)), { recursive: true })
    cpSync(join(root, from), join(folder, to), { recursive: true })
  }
}
