/** The records of the bench, generated once into the input topic, and what must come of them. */
import { createGenerator } from '../cli/generator.ts'
import { withProducer } from '../cli/produce.ts'
import { ProgressPrinter } from '../cli/progress.ts'
import type { Settings } from '../cluster/settings.ts'
import { handle, LoginCounts } from './login-loop.ts'
import type { Expected } from './outputs.ts'

const SEED = 1
const A_SEND = 4000

export const generateInput = async (
  settings: Settings,
  topic: string,
  records: number,
): Promise<Expected> => {
  const generator = createGenerator({ seed: SEED })
  const counts = new LoginCounts()
  const progress = new ProgressPrinter('input')
  const started = performance.now()
  const next = () => {
    const record = generator.next()
    const handled = handle(record.value, 0)
    if ('code' in handled) throw new Error('the generator made a record that cannot be processed')
    counts.add(handled.login)
    return { key: record.key, value: record.value }
  }
  await withProducer(settings, { topic, which: 'input', acks: 'all' }, async (producer) => {
    for (let sent = 0; sent < records; sent += A_SEND) {
      await producer.send(Array.from({ length: Math.min(A_SEND, records - sent) }, next))
      progress.show({ done: sent, total: records, elapsed: performance.now() - started })
    }
  })
  progress.clear()
  return { records, device_type: counts.total('device_type'), locale: counts.total('locale') }
}
