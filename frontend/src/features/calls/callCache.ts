import type { QueryClient } from '@tanstack/vue-query'
import { recentCalls } from '@/api/calls'
import type { CallEvent, RecentCalls } from '@/api/types'
import { recentCallEvents, streamSettled } from '@/composables/live/useLive'

export const RECENT_KEY = ['calls', 'recent'] as const

const KEPT = 500

/** The one way in which calls that were pushed reach the live list. */
export function applyCallEvents(queries: QueryClient, events: CallEvent[]): void {
  queries.setQueryData<RecentCalls>(RECENT_KEY, (recent) =>
    recent && { ...recent, items: withCalls(recent.items, events) },
  )
}

/** Reads the live list and brings it up to the calls that arrived while it was on its way. */
export async function readRecent(signal?: AbortSignal): Promise<RecentCalls> {
  await streamSettled()
  const start = Date.now()
  const recent = await recentCalls(signal)
  return { ...recent, items: withCalls(recent.items, recentCallEvents.since(start)) }
}

/** Newest first, each call once, no more than are worth showing. Ids sort by time (UUIDv7). */
export function withCalls(items: CallEvent[], events: readonly CallEvent[]): CallEvent[] {
  const known = new Set(items.map(({ id }) => id))
  const news = events.filter(({ id }) => !known.has(id) && known.add(id))
  if (news.length === 0) return items
  const sorted = news.sort((a, b) => (a.id < b.id ? 1 : -1))
  return [...sorted, ...items].slice(0, KEPT)
}
