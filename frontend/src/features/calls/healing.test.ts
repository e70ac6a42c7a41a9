import { QueryClient } from '@tanstack/vue-query'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { callHistory, recentCalls } from '@/api/calls'
import { Problem } from '@/api/problem'
import { aCall } from '@/testing'
import { applyCallEvents, liveCalls, RECENT_KEY, type LiveCalls } from './callCache'
import { healing, healLive } from './healing'

vi.mock('@/api/calls', async (original) => ({
  ...(await original<typeof import('@/api/calls')>()),
  recentCalls: vi.fn(),
  callHistory: vi.fn(),
}))

const store = vi.mocked(recentCalls)
const history = vi.mocked(callHistory)
const calls = (...ids: string[]) => ids.map((id) => aCall({ id, timestamp: `2026-01-01T00:00:0${id}Z` }))
const page = (...ids: string[]) => ({ items: calls(...ids), next_cursor: null })
const shown = (queries: QueryClient) => liveCalls(queries)?.items.map(({ id }) => id)

function aList(...ids: string[]): QueryClient {
  const queries = new QueryClient({ defaultOptions: { queries: { gcTime: Infinity } } })
  queries.setQueryData<LiveCalls>(RECENT_KEY, { items: [], source: 'redis' })
  applyCallEvents(queries, calls(...ids))
  return queries
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  vi.resetAllMocks()
})

it('adds what only history has, looking again until history has caught up with the store', async () => {
  const queries = aList('2', '1')
  store.mockResolvedValue({ items: calls('6'), source: 'redis' })
  history.mockResolvedValueOnce(page('3', '2', '1'))
  history.mockResolvedValueOnce(page('5', '4', '3', '2', '1'))
  history.mockResolvedValue(page('6', '5', '4', '3', '2', '1'))

  const healed = healLive(queries)
  expect(healing.value).toBe(true)
  await vi.runAllTimersAsync()
  await healed

  expect(shown(queries)).toEqual(['6', '5', '4', '3', '2', '1'])
  expect(history).toHaveBeenCalledTimes(3)
  expect(history.mock.calls[0]?.[0].from).toBe('2025-12-31T23:59:47.000Z')
  expect(healing.value).toBe(false)
})

it('goes on when the server does not answer, and takes history where the store is away', async () => {
  const complaint = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const queries = aList('1')
  store.mockRejectedValueOnce(new Problem('unreachable', 0))
  store.mockRejectedValue(new Problem('dependency_unavailable', 503))
  history.mockResolvedValue(page('2', '1'))

  const healed = healLive(queries)
  await vi.runAllTimersAsync()
  await healed

  expect(shown(queries)).toEqual(['2', '1'])
  expect(complaint).toHaveBeenCalledOnce()
})

it('ends the list above what it did not read', async () => {
  const queries = aList('1')
  store.mockResolvedValue({ items: calls('9'), source: 'redis' })
  history.mockImplementation((query) => {
    const top = 9 - Number(query.cursor ?? 0)
    return Promise.resolve({ items: calls(String(top)), next_cursor: String(10 - top) })
  })

  const healed = healLive(queries)
  await vi.runAllTimersAsync()
  await healed

  expect(shown(queries)).toEqual(['9', '8', '7', '6', '5'])
})

it('begins anew with a further gap, and stops when the list is let go', async () => {
  const queries = aList('1')
  store.mockResolvedValue({ items: [], source: 'redis' })
  history.mockResolvedValue(page('1'))

  const first = healLive(queries)
  const second = healLive(queries)
  await first
  expect(healing.value).toBe(true)
  queries.clear()
  await vi.runAllTimersAsync()
  await second

  expect(healing.value).toBe(false)
})
