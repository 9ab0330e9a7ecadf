import { describe, expect, test } from 'vitest'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { readLetter, wholeLetter } from '../../letters/letter.ts'
import { own, record } from './made.ts'

const read = (...args: Parameters<typeof record>) => readLetter('dlq', 0, record(...args), 'p')

describe('a letter', () => {
  test('says where it stands, where it came from and why', () => {
    expect(read(own())).toMatchObject({
      kind: 'letter',
      body: 'whole',
      place: { topic: 'dlq', partition: 0, offset: 7 },
      origin: { topic: 'in', partition: 3, offset: 42 },
      at: Date.UTC(2026, 2, 1, 12),
      code: 'not-json',
      message: 'no JSON',
      attempts: 2,
      replays: 0,
      headers: [],
    })
  })

  test('keeps the headers of its record, also those that look like its own, but for the marks of a replay', () => {
    const found = read([
      ...own(),
      ['trace', 'a'],
      [HEADER.errorCode, 'of an earlier letter'],
      [HEADER.replays, '2'],
      [HEADER.replayOf, 'dlq/0/1'],
      [HEADER.repaired, 'pipeline'],
    ])
    expect(found).toMatchObject({ code: 'not-json', replays: 2 })
    expect(found.headers.map(([name, value]) => [name, value?.toString()])).toEqual([
      ['trace', 'a'],
      [HEADER.errorCode, 'of an earlier letter'],
    ])
  })

  test.each(['-1', 'many', '9'.repeat(20)])('a count of replays that is none (%s) counts as 0', (text) =>
    expect(read([...own(), [HEADER.replays, text]])).toMatchObject({ replays: 0 }),
  )

  test('too large a record is a reference, and whole again with its record from the input', () => {
    const reference = read([...own(), [HEADER.valueSha256, 'ab'], ['kept', '?']], { value: null })
    expect(reference).toMatchObject({ kind: 'letter', body: 'reference', sha256: 'ab' })
    if (reference.kind !== 'letter') return
    const whole = wholeLetter(
      reference,
      record(
        [
          [HEADER.replays, '3'],
          ['a', 'b'],
        ],
        { value: Buffer.from('large') },
      ),
    )
    expect(whole).toMatchObject({ body: 'whole', replays: 3, value: Buffer.from('large'), code: 'not-json' })
    expect(whole.headers.map(([name]) => name)).toEqual(['a'])
  })

  test('a tombstone is whole, an unreadable batch has nothing to send', () => {
    expect(read(own('tombstone'), { value: null })).toMatchObject({ body: 'whole' })
    expect(read(own('batch-corrupt'), { value: null, key: null })).toMatchObject({ body: 'unreadable' })
  })
})

describe('foreign is', () => {
  test('what has no headers of ours', () => {
    expect(read([['a', 'b']])).toMatchObject({ kind: 'foreign', at: 1000 })
    expect(read([])).not.toHaveProperty('pipeline')
  })

  test('what another pipeline wrote', () =>
    expect(readLetter('dlq', 0, record(own()), 'q')).toMatchObject({ kind: 'foreign', pipeline: 'p' }))

  test('what names no origin', () => {
    const without = own().map(([name, value]) => [name, name === HEADER.origin ? 'nowhere' : value] as const)
    expect(read(without)).toMatchObject({ kind: 'foreign' })
  })
})
