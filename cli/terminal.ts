/** What a terminal can show. */

export interface Terminal {
  readonly columns: number
  /** It shows more than ASCII. */
  readonly unicode: boolean
}

/** Clears the screen, cursor to the top. */
export const CLEAR = '\x1b[2J\x1b[H'

/** Where nobody says how wide it is: a log, a pipe. */
const COLUMNS = 100
const LEAST_COLUMNS = 80

type Environment = Readonly<Record<string, string | undefined>>

/** The first of the locale's variables that is set decides, as POSIX has it. */
export const terminalOf = (stream: { readonly columns?: number }, env: Environment): Terminal => {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return {
    columns: Math.max(LEAST_COLUMNS, stream.columns ?? COLUMNS),
    unicode: /utf-?8/i.test(locale),
  }
}
