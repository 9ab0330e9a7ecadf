import { Command } from 'commander'
import { lintWarnings } from '../../pipelines/api/lint.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import { type Format, outputOption, printData } from '../output.ts'

export const lintCommand = (): Command =>
  new Command('lint')
    .description('Check a pipeline module: its shape, names, schema, masks and aggregates.')
    .argument('<pipeline>', "a shipped pipeline's name, or the path of a module")
    .addOption(outputOption())
    .action(lint)

/** What is wrong ends as an error of the loader; what is only suspicious is printed. */
const lint = async (nameOrPath: string, { output }: { readonly output: Format }): Promise<void> => {
  const { pipeline } = await loadPipeline(nameOrPath)
  const warnings = lintWarnings(pipeline)
  printData(output, { pipeline: pipeline.name, ok: true, warnings }, () =>
    [`${pipeline.name}: ok`, ...warnings.map((warning) => `  note: ${warning}`)].join('\n'),
  )
}
