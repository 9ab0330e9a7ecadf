/**
 * Whether the process in this container is well, for an image without a shell: asks the port of its metrics for the path that
 * is given (`/healthz` or `/readyz`), and ends with 0 or 1. What is wrong stands in `docker inspect`.
 */
const [path = '/healthz'] = process.argv.slice(2)
const url = `http://127.0.0.1:${process.env.MILLRACE_METRICS_PORT}${path}`

try {
  const reply = await fetch(url, { signal: AbortSignal.timeout(4000) })
  process.stdout.write(`${reply.status} ${await reply.text()}\n`)
  process.exitCode = reply.ok ? 0 : 1
} catch (error) {
  process.stdout.write(`${url} does not answer: ${error.cause?.message ?? error.message}\n`)
  process.exitCode = 1
}
