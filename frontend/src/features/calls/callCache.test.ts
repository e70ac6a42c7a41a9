import { QueryClient } from '@tanstack/vue-query'
import { afterEach, expect, it, vi } from 'vitest'
import { callHistory, recentCalls } from '@/api/calls'
import { Problem } from '@/api/problem'
import { recentCallEvents } from '@/composables/live/useLive'
import { aCall } from '@/testing'
import { applyCallEvents, liveCalls, readRecent, RECENT_KEY, type LiveCalls } from './callCache'

vi.mock('@/api/calls', async (original) => ({
  ...(await original<typeof import('@/api/calls')>()),
  recentCalls: vi.fn(),
  callHistory: vi.fn(),
}))

const store = vi.mocked(recentCalls)
const calls = (...ids: string[]) => ids.map((id) => aCall({ id }))
const ids = (live: LiveCalls | undefined) => live?.items.map(({ id }) => id)

afterEach(() => vi.resetAllMocks())

it('feeds the list that was read, and waits when none was', () => {
  const queries = new QueryClient()
  applyCallEvents(queries, calls('1'))
  expect(liveCalls(queries)).toBeUndefined()
  queries.setQueryData<LiveCalls>(RECENT_KEY, { items: calls('1'), source: 'redis' })
  applyCallEvents(queries, calls('2'))
  expect(ids(liveCalls(queries))).toEqual(['2', '1'])
})

it('keeps what it held where the read meets it, and begins anew where a hole may be between', async () => {
  const queries = new QueryClient()
  queries.setQueryData<LiveCalls>(RECENT_KEY, { items: calls('2', '1'), source: 'redis' })
  store.mockResolvedValueOnce({ items: calls('3', '2'), source: 'redis' })
  expect(ids(await readRecent(queries))).toEqual(['3', '2', '1'])
  store.mockResolvedValueOnce({ items: calls('9', '8'), source: 'redis' })
  expect(ids(await readRecent(queries))).toEqual(['9', '8'])
})

it('joins what the stream told while the list was on its way', async () => {
  store.mockImplementationOnce(() => {
    recentCallEvents.add(calls('4'))
    return Promise.resolve({ items: calls('3'), source: 'redis' })
  })
  expect(ids(await readRecent(new QueryClient()))).toEqual(['4', '3'])
})

it('reads history while the live store is away, and tells of any other failure', async () => {
  store.mockRejectedValueOnce(new Problem('dependency_unavailable', 503))
  vi.mocked(callHistory).mockResolvedValueOnce({ items: calls('1'), next_cursor: null })
  expect(await readRecent(new QueryClient())).toMatchObject({ items: calls('1'), source: 'history' })
  store.mockRejectedValueOnce(new Problem('unreachable', 0))
  await expect(readRecent(new QueryClient())).rejects.toThrow('unreachable')
})
