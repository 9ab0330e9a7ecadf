/** What a pipeline module is now. Node loads a module once per process, so each look takes a process of its own. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { entryUrl } from '../../cluster/entry.ts'
import type { ErrorCode } from '../../cluster/errors.ts'
import type { TopicNames } from '../../cluster/protocol/names.ts'

export interface Seen {
  readonly name: string
  readonly url: string
  readonly topics: TopicNames
  /** Made for the secrets that are not set; by variable. */
  readonly secrets: Readonly<Record<string, string>>
  /** A record that fits the schema, as JSON, as far as one can be made up. */
  readonly sample: string
}

/** `files`: all that was loaded, also of a module that failed; a save of one of them asks for another look. */
export type Look =
  | { readonly ok: true; readonly seen: Seen; readonly files: readonly string[] }
  | { readonly ok: false; readonly fault: Fault; readonly files: readonly string[] }

/** A MillraceError's parts. */
export interface Fault {
  readonly code: ErrorCode
  readonly message: string
  readonly remedy?: string
}

export const lookAt = async (nameOrPath: string): Promise<Look> => {
  const entry = fileURLToPath(entryUrl('./look-process', import.meta.url))
  const child = fork(entry, [nameOrPath], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const told = once(child, 'message')
  const fault: Fault = { code: 'pipeline-load', message: `${nameOrPath}: its module ends the process` }
  const ended = once(child, 'exit').then((): [Look] => [{ ok: false, fault, files: [] }])
  const [look] = (await Promise.race([told, ended])) as [Look]
  await ended
  return look
}
