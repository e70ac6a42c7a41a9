import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { flushPromises, mount } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h, nextTick, ref } from 'vue'
import { recentCalls } from '@/api/calls'
import { aCall } from '@/testing'
import { applyCallEvents } from './callCache'
import type { CallFilter } from './callFilter'
import { KEPT } from './liveList'
import { useRecentCalls } from './useRecentCalls'

vi.mock('@/api/calls', async (original) => ({
  ...(await original<typeof import('@/api/calls')>()),
  recentCalls: vi.fn(),
}))

const calls = (...ids: string[]) => ids.map((id) => aCall({ id, status: id.endsWith('e') ? 500 : 200 }))
const filter = ref<CallFilter>({ reads: false })
const isOpen = ref(false)

beforeEach(() => {
  filter.value = { reads: false }
  isOpen.value = false
})

async function watching(...ids: string[]) {
  vi.mocked(recentCalls).mockResolvedValue({ items: calls(...ids), source: 'redis' })
  const queries = new QueryClient()
  let recent!: ReturnType<typeof useRecentCalls>
  const Page = defineComponent(() => {
    recent = useRecentCalls(filter, isOpen)
    return () => h('div')
  })
  mount(Page, { global: { plugins: [[VueQueryPlugin, { queryClient: queries }]] } })
  await vi.waitFor(() => expect(recent.query.data.value).toBeDefined())
  await flushPromises()
  return {
    recent,
    ids: () => recent.items.value.map(({ id }) => id),
    arrive: async (...names: string[]) => {
      applyCallEvents(queries, calls(...names))
      await nextTick()
    },
  }
}

it('stays as it was while paused, counts what the filter asks for, and resumes with all', async () => {
  const page = await watching('2')
  page.recent.paused.value = true
  await nextTick()
  await page.arrive('4', '5e', '1')
  expect(page.ids()).toEqual(['2'])
  expect(page.recent.waiting.value).toBe(3)
  filter.value = { reads: false, status: '5xx' }
  expect(page.recent.waiting.value).toBe(1)
  filter.value = { reads: false }
  page.recent.paused.value = false
  await nextTick()
  expect(page.ids()).toEqual(['5e', '4', '2', '1'])
  expect(page.recent.waiting.value).toBe(0)
})

it('stays as it was while a call is open', async () => {
  const page = await watching('2')
  isOpen.value = true
  await nextTick()
  await page.arrive('3')
  expect(page.ids()).toEqual(['2'])
  isOpen.value = false
  await nextTick()
  expect(page.ids()).toEqual(['3', '2'])
})

it('takes no notice of a time range', async () => {
  const page = await watching('2')
  filter.value = { reads: false, to: '2000-01-01T00:00:00Z' }
  expect(page.ids()).toEqual(['2'])
})

it('says when more wait than it holds', async () => {
  const page = await watching('0')
  page.recent.paused.value = true
  await nextTick()
  expect(page.recent.overflowed.value).toBe(false)
  await page.arrive(...Array.from({ length: KEPT }, (_, at) => `1${String(at).padStart(6, '0')}`))
  expect(page.recent.overflowed.value).toBe(true)
})
