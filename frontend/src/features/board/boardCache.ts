import type { QueryClient } from '@tanstack/vue-query'
import { listMessages, PAGE_SIZE, type MessageFilter } from '@/api/messages'
import type { BoardEvent, MessagePage } from '@/api/types'
import { recentBoardEvents, streamSettled } from '@/composables/live/useLive'
import { applyToPage } from './messagePages'

export const BOARD_KEY = ['messages'] as const

export const boardKey = (filter: MessageFilter) => [...BOARD_KEY, filter] as const

/** Deletions seen, so that the echo of one's own does not count twice. */
const deleted = new Set<number>()

/** The one way in which a change reaches the board, made here or pushed by the server. */
export function applyBoardEvents(queries: QueryClient, events: BoardEvent[]): void {
  const news = events.filter((event) => event.type !== 'deleted' || !deleted.has(event.id))
  for (const event of news) if (event.type === 'deleted') deleted.add(event.id)
  for (const [key, page] of queries.getQueriesData<MessagePage>({ queryKey: BOARD_KEY })) {
    if (!page) continue
    const filter = key[1] as MessageFilter
    const next = news.reduce((now, event) => applyToPage(now, event, filter), page)
    queries.setQueryData(key, next)
    if (ranShort(next)) void queries.invalidateQueries({ queryKey: key })
  }
}

/** Reads a page and brings it up to the events that arrived while it was on its way. */
export async function readBoard(filter: MessageFilter, signal?: AbortSignal): Promise<MessagePage> {
  await streamSettled()
  const start = Date.now()
  const page = await listMessages(filter, signal)
  const missed = recentBoardEvents.since(start).filter((event) => concerns(page, event))
  return missed.reduce((now, event) => applyToPage(now, event, filter), page)
}

/** A deletion that the page no longer shows is in its total already. */
function concerns(page: MessagePage, event: BoardEvent): boolean {
  return event.type !== 'deleted' || page.items.some(({ id }) => id === event.id)
}

function ranShort(page: MessagePage): boolean {
  return page.items.length < PAGE_SIZE && page.next_cursor !== null
}
