import { expect, it } from 'vitest'
import { aCall } from '@/testing'
import { newerThan } from './useNewerCalls'

const calls = (...ids: string[]) => ids.map((id) => aCall({ id }))

it('counts what the filter asks for and the page has not, each once', () => {
  const arrived = [...calls('3', '4', '4', '5'), aCall({ id: '6', status: 500 })]
  expect([...newerThan(calls('3', '2'), arrived, { reads: false })]).toEqual(['4', '5', '6'])
  expect([...newerThan(calls('3', '2'), arrived, { reads: false, status: '5xx' })]).toEqual(['6'])
})

it('leaves out what comes further down', () => {
  expect(newerThan(calls('9', '7'), calls('6'), { reads: false }).size).toBe(0)
})

it('counts all that arrived for a page without calls', () => {
  expect(newerThan([], calls('1'), { reads: false }).size).toBe(1)
})
