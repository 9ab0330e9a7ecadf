import Type from 'typebox'
import { definePipeline } from '../../pipelines/api/define.ts'
import { dead } from '../../pipelines/api/outcome.ts'

/** A little of everything that dead letters meet. */
export const pipeline = definePipeline({
  name: 'p',
  topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
  schema: Type.Object({
    user: Type.String({ minLength: 1 }),
    device: Type.String(),
    version: Type.String(),
    time: Type.Number(),
  }),
  process: (value) => (value.time < 0 ? dead('before-time') : value),
  masks: { user: (text) => `${text.slice(0, 1)}***` },
  repair: (value, code) => {
    if (value.throws === true) throw new Error('of the pipeline')
    return code === 'schema:device' ? { ...value, device: 'mended' } : undefined
  },
})

export const good = { user: 'ann', device: 'a', version: '1', time: 1 }
