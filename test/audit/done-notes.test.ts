import { expect, test } from 'vitest'
import { DoneNotes } from '../../audit/done-notes.ts'

const done = { code: 'done', fate: 'done' } as const

test('tells of each done offset what its range said, whatever the order of the ranges', () => {
  const notes = new DoneNotes()
  notes.take({ ...done, partition: 0, from: 7, to: 8, late: ['hours'] })
  notes.take({ ...done, partition: 0, from: 3, to: 3, attempts: 2 })
  notes.take({ ...done, partition: 1, from: 0, to: 9, late: ['days'] })
  notes.take({ ...done, partition: 0, from: 0, to: 2 })
  const noteOf = notes.walk(0)
  const plain = { late: [], attempts: 1 }
  expect([0, 3, 4, 7, 8, 9].map(noteOf)).toEqual([
    plain,
    { late: [], attempts: 2 },
    plain,
    { late: ['hours'], attempts: 1 },
    { late: ['hours'], attempts: 1 },
    plain,
  ])
})
