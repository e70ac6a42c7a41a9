import { QueryClient } from '@tanstack/vue-query'
import { beforeEach, describe, expect, it } from 'vitest'
import type { MessagePage } from '@/api/types'
import { aMessage, aPage } from '@/testing'
import { applyBoardEvents, boardKey } from './boardCache'

let queries: QueryClient
const page = (filter = {}) => queries.getQueryData<MessagePage>(boardKey(filter))

beforeEach(() => {
  queries = new QueryClient()
  queries.setQueryData(boardKey({}), aPage([3, 2], { total: 12 }))
  queries.setQueryData(boardKey({ cursor: 'older' }), aPage([1], { total: 12 }))
})

describe('applyBoardEvents', () => {
  it('puts a new message on the newest page alone', () => {
    applyBoardEvents(queries, [{ type: 'created', message: aMessage({ id: 4 }) }])
    expect(page()?.items.map(({ id }) => id)).toEqual([4, 3, 2])
    expect(page({ cursor: 'older' })?.items).toHaveLength(1)
  })

  it('counts a deletion once, though it comes from here and from the server', () => {
    const event = { type: 'deleted' as const, id: 1 }
    applyBoardEvents(queries, [event])
    applyBoardEvents(queries, [event])
    expect(page()?.total).toBe(11)
    expect(page({ cursor: 'older' })?.items).toEqual([])
  })
})
