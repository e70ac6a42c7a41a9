import { expect, it } from 'vitest'
import { bytesText, figureText, spanText } from './figureText'

it.each([
  [0, '0B'],
  [999, '999B'],
  [1_200, '1.2kB'],
  [536_870_912, '537MB'],
])('%d bytes are %s', (bytes, expected) => expect(bytesText(bytes, 'en')).toBe(expected))

it.each([
  [0, '0 sec'],
  [4.26, '4.3 sec'],
  [59, '59 sec'],
  [90, '1.5 min'],
  [7_200, '2 hr'],
  [86_400 * 12, '12 days'],
])('%d seconds are %s', (seconds, expected) => expect(spanText(seconds, 'en')).toBe(expected))

const AT = '2026-01-01T00:01:00.000000Z'

it.each([
  ['spool_bytes', 2_000, '2kB'],
  ['oldest_unsent_seconds', 3, '3 sec'],
  ['last_recorded_at', '2026-01-01T00:00:50.000000Z', '10 sec'],
  ['sent', 12_345, '12,345'],
  ['of_a_newer_version', 'text', 'text'],
  ['lag_messages', null, null],
])('the figure %s of %j is told as %j', (name, value, expected) =>
  expect(figureText(name, value, AT, 'en')).toBe(expected),
)

it('tells a moment that is ahead of the server as now', () => {
  expect(figureText('last_recorded_at', '2026-01-01T00:02:00Z', AT, 'en')).toBe('0 sec')
})
