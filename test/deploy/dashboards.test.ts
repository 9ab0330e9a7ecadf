/** The dashboards as Grafana reads them, held against the rules: what is asked of a real Prometheus is in prometheus.test.ts. */
import { expect, test } from 'vitest'
import { rules } from '../../telemetry/rules.ts'
import { dashboards } from './dashboards.ts'

const all = dashboards()

test.each(all)('$title asks recorded series only, and each of those there are', ({ targets, variables }) => {
  expect(targets.length).toBeGreaterThan(10)
  for (const { expr } of [...targets, ...variables]) {
    const outside = expr.replace(/"[^"]*"/g, '').replace(/millrace:[a-z0-9_:]+/g, '')
    expect(outside, expr).not.toMatch(/\b(millrace_(?!role|process)|otel_|up\b)/)
    const recorded = expr.match(/millrace:[a-z0-9_:]+/g) ?? []
    expect(recorded, expr).toHaveLength(1)
    expect(Object.keys(rules)).toContain(recorded[0])
  }
})

test.each(all)(
  '$title: no panel covers another, each has an id of its own and a description',
  ({ panels }) => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { title, type, description = '', gridPos } of panels) {
      const { x, y, w, h } = gridPos
      expect(x + w, title).toBeLessThanOrEqual(24)
      if (type !== 'row') expect(description, title).not.toBe('')
      for (let column = x; column < x + w; column++)
        for (let line = y; line < y + h; line++) {
          expect(taken, title).not.toContain(`${column}/${line}`)
          taken.add(`${column}/${line}`)
        }
    }
  },
)

test('both together show every recorded series, but those that only alerts or other rules need', () => {
  const shown = new Set(
    all.flatMap(({ targets }) => targets.map(({ expr }) => expr.match(/millrace:[a-z0-9_:]+/)?.[0])),
  )
  expect(Object.keys(rules).filter((name) => !shown.has(name))).toEqual(['millrace:worker_restarts:max'])
})

test('each leads to the other, and to series that are there', () => {
  const uids = all.map(({ uid }) => uid)
  const links = all.flatMap(({ text }) =>
    [...text.matchAll(/"url": "\/d\/([a-z-]+)/g)].map(([, uid = '']) => uid),
  )
  expect(links.length).toBeGreaterThan(0)
  for (const uid of links) expect(uids).toContain(uid)
})
