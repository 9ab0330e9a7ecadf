/** Codes of dead letters (docs/record-codes.md) in five classes. What can never succeed is parsing or validation, so it is not tried again. */
export type ErrorClass = 'parsing' | 'validation' | 'processing' | 'network' | 'unknown'

const classes: readonly (readonly [codes: RegExp, errorClass: ErrorClass])[] = [
  [/^(tombstone|too-large|not-utf8|too-deep|not-json|not-an-object|batch-.+)$/, 'parsing'],
  [/^(schema:.+|bad-output|output-.+)$/, 'validation'],
  [/^(process-.+|mask-.+|thread-.+)$/, 'processing'],
  // Millrace itself gives no record such a code: a pipeline that asks others does, as `retry('network-timeout')`.
  [/^network(-.+)?$/, 'network'],
]

export const errorClass = (code: string): ErrorClass =>
  classes.find(([codes]) => codes.test(code))?.[1] ?? 'unknown'
