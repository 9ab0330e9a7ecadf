/** Drops as log lines: one line a code and 10 s, with how many there were since the last one. Pipelines may drop every record. */
import { type Clock, systemClock } from '../cluster/actor/clock.ts'
import type { EventBus } from '../cluster/events.ts'

const QUIET_MS = 10_000

/** @param write takes a line without its end */
export const tellDrops = (events: EventBus, write: (line: string) => void, clock: Clock = systemClock) => {
  /** Codes that were told a moment ago, with what has come since. */
  const quiet = new Map<string, number>()

  const tell = (code: string, records: number) => {
    write(`dropped ${records} ${records === 1 ? 'record' : 'records'}: ${code}`)
    quiet.set(code, 0)
    clock.after(QUIET_MS, () => {
      const since = quiet.get(code) ?? 0
      quiet.delete(code)
      if (since > 0) tell(code, since)
    })
  }

  events.on('dropped', ({ code, records }) => {
    const since = quiet.get(code)
    if (since === undefined) tell(code, records)
    else quiet.set(code, since + records)
  })
}
