import { Command } from 'commander'
import { explainSettings } from '../../cluster/settings.ts'
import { resolvedSettings } from '../connect.ts'
import { type Format, outputOption, printData, table } from '../output.ts'

export const settingsCommand = (): Command =>
  new Command('settings')
    .description('Show the settings that count and where each comes from. Secrets are hidden.')
    .addOption(outputOption())
    .action(async ({ output }: { output: Format }) => {
      const settings = explainSettings(process.env, await resolvedSettings())
      printData(output, settings, () =>
        table(
          ['setting', 'value', 'from'],
          settings.map(({ env, value, from }) => [env, value === '' ? '-' : value, from]),
        ),
      )
    })
