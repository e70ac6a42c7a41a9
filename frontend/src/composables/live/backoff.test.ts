import { expect, it } from 'vitest'
import { backoffMs } from './backoff'

it('doubles, stays within half a step of jitter, and stops growing', () => {
  expect(backoffMs(0, () => 0)).toBe(250)
  expect(backoffMs(0, () => 1)).toBe(500)
  expect(backoffMs(3, () => 1)).toBe(4_000)
  expect(backoffMs(50, () => 1)).toBe(30_000)
})
