/**
 * Why bytes are not a record batch we can read. Thrown, because every use ends the whole batch at once;
 * whoever calls the codec catches it at the batch's border and turns it into an outcome.
 *
 * - `magic`      an older message format (0 or 1)
 * - `codec`      a compression we do not know
 * - `corrupt`    the bytes contradict themselves
 * - `too-large`  it decompresses beyond the bound
 */
export type CodecProblem = 'magic' | 'codec' | 'corrupt' | 'too-large'

export class CodecError extends Error {
  readonly code: CodecProblem
  constructor(code: CodecProblem, detail: string, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause })
    this.name = 'CodecError'
    this.code = code
  }
}
