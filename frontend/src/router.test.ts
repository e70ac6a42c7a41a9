import { expect, it } from 'vitest'
import { nextQuery, safeNext } from './router'

it.each([
  ['/calls/live?user=a', '/calls/live?user=a'],
  ['//elsewhere.example', '/'],
  ['/\\elsewhere.example', '/'],
  ['https://elsewhere.example', '/'],
  [undefined, '/'],
  [['/a', '/b'], '/'],
])('safeNext(%j) is %s', (next, expected) => expect(safeNext(next)).toBe(expected))

it('remembers where one was headed, except the front page', () => {
  expect(nextQuery('/')).toEqual({})
  expect(nextQuery('/account')).toEqual({ next: '/account' })
})
