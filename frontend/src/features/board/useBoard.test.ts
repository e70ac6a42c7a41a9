import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { mount } from '@vue/test-utils'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h, nextTick, ref } from 'vue'
import { listMessages, type MessageFilter } from '@/api/messages'
import { aMessage, aPage } from '@/testing'
import { applyBoardEvents } from './boardCache'
import { useBoard } from './useBoard'

vi.mock('@/api/messages', async (original) => ({
  ...(await original<typeof import('@/api/messages')>()),
  listMessages: vi.fn(),
}))

const server = vi.mocked(listMessages)
const ten = [20, 19, 18, 17, 16, 15, 14, 13, 12, 11]

async function aBoard() {
  const queries = new QueryClient()
  const atTop = ref(true)
  let board!: ReturnType<typeof useBoard>
  const Page = defineComponent(() => {
    board = useBoard(ref<MessageFilter>({}), atTop)
    return () => h('div')
  })
  mount(Page, { global: { plugins: [[VueQueryPlugin, { queryClient: queries }]] } })
  await vi.waitFor(() => expect(board.query.isSuccess.value).toBe(true))
  const arrive = async (id: number) => {
    applyBoardEvents(queries, [{ type: 'created', message: aMessage({ id }) }])
    await nextTick()
  }
  return { board, atTop, arrive, shown: () => board.items.value.map(({ id }) => id) }
}

beforeEach(() => {
  server.mockReset()
  server.mockResolvedValue(aPage(ten, { total: 20, next_cursor: 'below 11' }))
})

describe('useBoard', () => {
  it('shows a new message at once at the top, and still ten', async () => {
    const { arrive, shown } = await aBoard()
    await arrive(21)
    expect(shown()).toEqual([21, ...ten.slice(0, 9)])
  })

  it('holds new messages back while one reads further down', async () => {
    const { board, atTop, arrive, shown } = await aBoard()
    atTop.value = false
    await nextTick()
    await arrive(21)
    await arrive(22)
    expect(shown()).toEqual(ten)
    expect(board.waiting.value).toBe(2)

    board.showNew()
    expect(shown().slice(0, 2)).toEqual([22, 21])
    expect(board.waiting.value).toBe(0)
  })

  it('offers older messages once new ones have pushed some off the page', async () => {
    server.mockResolvedValue(aPage(ten, { total: 10, next_cursor: null }))
    const { board, arrive } = await aBoard()
    expect(board.hasOlder.value).toBe(false)
    await arrive(21)
    expect(board.hasOlder.value).toBe(true)
  })

  it('pages on by the cursor it has, and asks again once the page has shifted', async () => {
    const { board, arrive } = await aBoard()
    expect(await board.olderCursor()).toBe('below 11')
    expect(server).toHaveBeenCalledTimes(1)

    await arrive(21)
    server.mockResolvedValue(aPage([21, ...ten.slice(0, 9)], { total: 21, next_cursor: 'below 12' }))
    expect(await board.olderCursor()).toBe('below 12')
  })
})
