import { describe, expect, it } from 'vitest'
import { aCall } from '@/testing'
import { downTo, isAhead, KEPT, newestAt, shareCall, withCalls } from './liveList'

const calls = (...ids: string[]) => ids.map((id) => aCall({ id }))
const ids = (items: { id: string }[]) => items.map(({ id }) => id)
const NOW = Date.parse('2026-01-01T00:01:00Z')

describe('withCalls', () => {
  it('puts each call once where its time belongs, newest first', () => {
    expect(ids(withCalls(calls('1'), calls('2', '3')))).toEqual(['3', '2', '1'])
    expect(ids(withCalls(calls('5', '2'), calls('3', '6', '3', '2')))).toEqual(['6', '5', '3', '2'])
    expect(ids(withCalls([], calls('1', '3', '2')))).toEqual(['3', '2', '1'])
  })

  it('gives back the same list when it has all already', () => {
    const items = calls('2', '1')
    expect(withCalls(items, calls('1', '2'))).toBe(items)
  })

  it('keeps the newest of more than are worth holding', () => {
    const many = Array.from({ length: KEPT + 7 }, (_, at) => aCall({ id: String(at).padStart(6, '0') }))
    const kept = withCalls([], many)
    expect(kept).toHaveLength(KEPT)
    expect(kept[0]?.id).toBe(many.at(-1)?.id)
  })
})

it('ends a list at a call', () => {
  expect(ids(downTo(calls('4', '3', '1'), '3'))).toEqual(['4', '3'])
})

it('knows whether two lists meet', () => {
  expect(shareCall(calls('3', '2'), calls('2', '1'))).toBe(true)
  expect(shareCall(calls('3', '2'), calls('1'))).toBe(false)
  expect(shareCall([], [])).toBe(false)
})

it('takes the newest time that is not ahead', () => {
  const times = ['2026-01-01T00:00:10Z', '2026-01-01T00:00:30Z', '2030-01-01T00:00:00Z']
  expect(newestAt(times.map((timestamp) => aCall({ timestamp })), NOW)).toBe(NOW - 30_000)
  expect(newestAt([], NOW)).toBe(0)
})

it.each([
  ['2026-01-01T00:01:09Z', undefined, false],
  ['2026-01-01T00:01:11Z', undefined, true],
  ['2026-01-01T00:00:00Z', '2025-12-31T23:00:00Z', true],
  ['2026-01-01T00:00:00Z', null, false],
])('a call of %s counted at %s is ahead: %s', (timestamp, counted_at, expected) => {
  expect(isAhead({ ...aCall({ timestamp }), counted_at }, NOW)).toBe(expected)
})
