import { expect, it } from 'vitest'
import { RecentEvents } from './recent'

it('gives what arrived since a moment, and keeps no more than its limit', () => {
  let now = 100
  const recent = new RecentEvents<string>(3, () => now)
  recent.add(['a', 'b'])
  now = 200
  recent.add(['c'])
  expect(recent.since(150)).toEqual(['c'])
  expect(recent.since(100)).toEqual(['a', 'b', 'c'])
  recent.add(['d', 'e'])
  expect(recent.since(0)).toEqual(['c', 'd', 'e'])
})

it('knows whether it still has everything since a moment', () => {
  let now = 100
  const recent = new RecentEvents<string>(2, () => now)
  recent.add(['a', 'b'])
  expect(recent.isWholeSince(0)).toBe(true)
  now = 200
  recent.add(['c'])
  expect(recent.isWholeSince(100)).toBe(false)
  expect(recent.isWholeSince(101)).toBe(true)
  now = 300
  recent.interrupt()
  expect(recent.isWholeSince(101)).toBe(false)
})
