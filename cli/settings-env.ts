/** Settings as environment of a child process: the inverse of `readSettings`. */
import { type Settings, settingsTable } from '../cluster/settings.ts'

export const settingsEnv = (changes: Partial<Settings>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(changes).flatMap(([name, value]) => {
      const entry = settingsTable[name as keyof Settings]
      const kind = entry.kind as { show(value: unknown): string }
      return value === undefined ? [] : [[entry.env, kind.show(value)]]
    }),
  )
