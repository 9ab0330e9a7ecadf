/** `docs/runbooks/`, held against the table of alerts. */
import { expect, test } from 'vitest'
import { alertName, alerts, runbookOf } from '../../telemetry/alerts.ts'
import { files, textOf } from './tree.ts'

const keys = Object.keys(alerts)
const INDEX = 'docs/runbooks/README.md'

test('each alert has its page, and each page its alert', () => {
  const pages = files.filter((path) => path.startsWith('docs/runbooks/') && path !== INDEX)
  expect(pages).toEqual(keys.map(runbookOf).toSorted())
})

test.each(keys)('%s: the page says what it means, how to look and what to do, and is short', (key) => {
  const text = textOf(runbookOf(key))
  expect(text.split('\n')[0]).toBe(`# ${alertName(key)}`)
  expect(text).toMatch(/^# \w+\n\n\S[\s\S]+\n## How to look\n\n[\s\S]+\n## What to do\n\n1\. /)
  expect(text).toMatch(/^```promql\n[\s\S]+?^```/m)
  expect(text.split('\n').length).toBeLessThan(60)
})
