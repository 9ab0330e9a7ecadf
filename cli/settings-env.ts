/** Settings as environment of a child process: the inverse of `readSettings`. */
import { fileVariable, type Settings, settingsTable } from '../cluster/settings.ts'

export const settingsEnv = (changes: Partial<Settings>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(changes).flatMap(([name, value]) => {
      const { env, hide, ...entry } = settingsTable[name as keyof Settings]
      const kind = entry.kind as { show(value: unknown): string }
      if (value === undefined) return []
      // What was read from a file travels as its value: the inherited name of the file would contradict it.
      const noFile = hide === undefined ? [] : [[fileVariable(env), '']]
      return [[env, kind.show(value)], ...noFile]
    }),
  )
