/** A program for crash.test.ts: ensures services, says what runs, and lives on. */
import { watchdogPid } from '../../../cli/services/guard.ts'
import { ensureServices } from '../../../cli/services/services.ts'
import { readSettings } from '../../../cluster/settings.ts'

const settings = readSettings(process.env)
const services = await ensureServices(settings, { name: 'local', native: true, log: () => {} })
const { processes } = services.kind === 'native' ? services : { processes: [] }
console.log(JSON.stringify({ processes, watchdog: watchdogPid() }))
setInterval(() => {}, 1000)
