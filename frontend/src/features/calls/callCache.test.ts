import { QueryClient } from '@tanstack/vue-query'
import { expect, it } from 'vitest'
import type { RecentCalls } from '@/api/types'
import { aCall } from '@/testing'
import { applyCallEvents, RECENT_KEY, withCalls } from './callCache'

const [one, two, three] = ['1', '2', '3'].map((id) => aCall({ id })) as [
  ReturnType<typeof aCall>,
  ReturnType<typeof aCall>,
  ReturnType<typeof aCall>,
]

it('puts calls that arrive oldest first on top, newest first, each once', () => {
  expect(withCalls([one], [two, three]).map(({ id }) => id)).toEqual(['3', '2', '1'])
  expect(withCalls([two, one], [one, two, two])).toEqual([two, one])
})

it('keeps no more than are worth showing', () => {
  const many = Array.from({ length: 700 }, (_, at) => aCall({ id: String(at).padStart(4, '0') }))
  expect(withCalls([], many)).toHaveLength(500)
  expect(withCalls([], many)[0]?.id).toBe('0699')
})

it('feeds the list that was read, and waits when none was', () => {
  const queries = new QueryClient()
  applyCallEvents(queries, [one])
  expect(queries.getQueryData(RECENT_KEY)).toBeUndefined()
  queries.setQueryData<RecentCalls>(RECENT_KEY, { items: [one], source: 'redis' })
  applyCallEvents(queries, [two])
  expect(queries.getQueryData<RecentCalls>(RECENT_KEY)?.items).toEqual([two, one])
})
