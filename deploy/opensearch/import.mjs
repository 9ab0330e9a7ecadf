/**
 * Puts the saved objects beside it into OpenSearch Dashboards: `node import.mjs http://dashboards:5601`. What is there is
 * overwritten, so it may run again.
 */
import { readFile } from 'node:fs/promises'

const NAME = 'dashboard.ndjson'
const [url = 'http://127.0.0.1:5601'] = process.argv.slice(2)

const fail = (why) => {
  process.stderr.write(`saved objects: ${why}\n`)
  process.exitCode = 1
}

try {
  const form = new FormData()
  form.append('file', new Blob([await readFile(new URL(NAME, import.meta.url))]), NAME)
  const reply = await fetch(new URL('/api/saved_objects/_import?overwrite=true', url), {
    method: 'POST',
    headers: { 'osd-xsrf': 'millrace' },
    body: form,
    signal: AbortSignal.timeout(60_000),
  })
  const text = await reply.text()
  const said = reply.ok ? JSON.parse(text) : {}
  if (said.success === true)
    process.stdout.write(`saved objects: ${said.successCount} imported into ${url}\n`)
  else fail(`${url} refuses them (${reply.status}): ${text}`)
} catch (error) {
  fail(`${url} does not take them: ${error.cause?.message ?? error.message}`)
}
