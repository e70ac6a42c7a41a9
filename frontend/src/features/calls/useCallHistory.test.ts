import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { flushPromises, mount } from '@vue/test-utils'
import { expect, it, vi } from 'vitest'
import { defineComponent, h, ref } from 'vue'
import { callHistory } from '@/api/calls'
import { aCall } from '@/testing'
import type { CallFilter } from './callFilter'
import { useCallHistory } from './useCallHistory'

vi.mock('@/api/calls', async (original) => ({
  ...(await original<typeof import('@/api/calls')>()),
  callHistory: vi.fn(),
}))

it('follows the cursor to the end, and begins again with another filter', async () => {
  const server = vi.mocked(callHistory)
  server.mockResolvedValueOnce({ items: [aCall({ id: '2' })], next_cursor: 'more' })
  server.mockResolvedValueOnce({ items: [aCall({ id: '1' })], next_cursor: null })
  const filter = ref<CallFilter>({ reads: false })
  let history!: ReturnType<typeof useCallHistory>
  const Page = defineComponent(() => {
    history = useCallHistory(filter)
    return () => h('div')
  })
  mount(Page, { global: { plugins: [[VueQueryPlugin, { queryClient: new QueryClient() }]] } })
  await vi.waitFor(() => expect(history.query.data.value).toBeDefined())
  expect(history.query.hasNextPage.value).toBe(true)

  await history.query.fetchNextPage()
  expect(server.mock.lastCall?.[0]).toMatchObject({ cursor: 'more', log_reads: false })
  expect(history.items.value.map(({ id }) => id)).toEqual(['2', '1'])
  expect(history.query.hasNextPage.value).toBe(false)

  server.mockResolvedValueOnce({ items: [aCall({ id: '3' }), aCall({ id: '2' })], next_cursor: 'more' })
  await history.restart()
  expect(server.mock.lastCall?.[0]).toEqual({ log_reads: false })
  expect(history.items.value.map(({ id }) => id)).toEqual(['3', '2'])

  server.mockResolvedValueOnce({ items: [], next_cursor: null })
  filter.value = { reads: true, status: '5xx' }
  await vi.waitFor(() => expect(server.mock.lastCall?.[0]).toEqual({ status: '5xx', log_reads: true }))
  await flushPromises()
  expect(history.items.value).toEqual([])
})

it('keeps a period where it began when the first page was read', async () => {
  const server = vi.mocked(callHistory)
  server.mockResolvedValue({ items: [aCall()], next_cursor: 'more' })
  const filter = ref<CallFilter>({ reads: true, period: '1h' })
  let history!: ReturnType<typeof useCallHistory>
  const Page = defineComponent(() => {
    history = useCallHistory(filter)
    return () => h('div')
  })
  mount(Page, { global: { plugins: [[VueQueryPlugin, { queryClient: new QueryClient() }]] } })
  await vi.waitFor(() => expect(history.items.value).toHaveLength(1))
  const { from } = server.mock.lastCall![0]
  vi.setSystemTime(Date.now() + 60_000)
  await history.query.fetchNextPage()
  vi.useRealTimers()
  expect(server.mock.lastCall?.[0]).toMatchObject({ cursor: 'more', from })
})
