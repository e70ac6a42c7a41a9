import { expect, it } from 'vitest'
import { fromLocalInput, isPeriod, toLocalInput } from './timeRange'

it.each(['2026-01-01T00:00:00.000Z', '2026-07-01T13:59:07.000Z', '2026-03-29T01:30:00.000Z'])(
  'gives back the moment %s that went through an input',
  (moment) => {
    expect(toLocalInput(moment)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
    expect(fromLocalInput(toLocalInput(moment))).toBe(moment)
  },
)

it('reads an emptied input as no moment', () => {
  expect(fromLocalInput('')).toBeNull()
})

it('knows its periods and nothing else', () => {
  expect(['15m', '7d', '8d', 'toString', '', null].map(isPeriod)).toEqual([true, true, false, false, false, false])
})
