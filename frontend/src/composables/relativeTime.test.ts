import { expect, it } from 'vitest'
import { relativeTime } from './relativeTime'

const now = new Date('2026-06-15T12:00:00Z')
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000)

it.each([
  [0, null, null],
  [29, null, null],
  [-5, null, null],
  [45, '45초 전', '45 seconds ago'],
  [60, '1분 전', '1 minute ago'],
  [119, '1분 전', '1 minute ago'],
  [3_600, '1시간 전', '1 hour ago'],
  [2 * 86_400, '2일 전', '2 days ago'],
  [15 * 86_400, '2주 전', '2 weeks ago'],
])('%d seconds ago', (seconds, korean, english) => {
  expect(relativeTime(ago(seconds), now, 'ko')).toBe(korean)
  expect(relativeTime(ago(seconds), now, 'en')).toBe(english)
})

it('names the date after four weeks, with the year when it is another', () => {
  expect(relativeTime(new Date('2026-04-02T12:00:00Z'), now, 'en')).toBe('Apr 2')
  expect(relativeTime(new Date('2025-04-02T12:00:00Z'), now, 'en')).toBe('Apr 2, 2025')
})
