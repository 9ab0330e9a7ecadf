/** Insights as text: one window after the other, bars for counts. */

import { printableText } from '../cluster/printable.ts'
import { DISTINCT_ERROR } from '../pipelines/api/aggregates.ts'
import type { Block, CombinedWindow } from './insights.ts'
import { count, styled } from './output.ts'

const BAR = 30

export const windowTitle = ({ size, start }: CombinedWindow): string => {
  if (size === undefined) return 'since the beginning'
  const time = (ms: number) => new Date(ms).toISOString().replace(/:00\.000Z$/, 'Z')
  return `${time(start)} to ${time(start + size)}`
}

export const blockText = (block: Block): string => {
  if (block.block === 'counts') return countsText(block)
  const about = block.estimate ? ` (an estimate, standard error ${(DISTINCT_ERROR * 100).toFixed(1)} %)` : ''
  return `  ${block.name}: ${block.value === null ? '-' : count(block.value)}${about}`
}

const countsText = ({ name, rows: raw, more, total }: Block & { readonly block: 'counts' }): string => {
  const rows = raw.map(([label, value]) => [printableText(label), value] as const)
  const width = Math.max(0, ...rows.map(([label]) => label.length))
  const digits = Math.max(0, ...rows.map(([, value]) => count(value).length))
  const highest = rows[0]?.[1] ?? 1
  const lines = rows.map(([label, value]) => {
    const bar = '#'.repeat(Math.max(1, Math.round((value / highest) * BAR)))
    const part = `${((value / total) * 100).toFixed(1)}%`.padStart(6)
    return `    ${label.padEnd(width)}  ${count(value).padStart(digits)}  ${part}  ${styled('cyan', bar)}`
  })
  return [`  ${name}:`, ...lines, ...(more > 0 ? [`    and ${count(more)} more`] : [])].join('\n')
}

export const windowText = (window: CombinedWindow, blocks: readonly Block[]): string =>
  [styled('bold', windowTitle(window)), ...blocks.map(blockText)].join('\n')

export const waitingText = (records: number): string => {
  const remedy = records === 0 ? '' : ' (`millrace insights --flush` publishes them)'
  return `${count(records)} ${records === 1 ? 'record waits' : 'records wait'} in unfilled batches${remedy}`
}
