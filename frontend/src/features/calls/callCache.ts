import type { QueryClient } from '@tanstack/vue-query'
import { callHistory, HISTORY_MOST, recentCalls } from '@/api/calls'
import { asProblem } from '@/api/problem'
import type { CallEvent, RecentCalls } from '@/api/types'
import { recentCallEvents, streamSettled } from '@/composables/live/useLive'
import { downTo, newestAt, shareCall, withCalls } from './liveList'

export const RECENT_KEY = ['calls', 'recent'] as const

export interface LiveCalls {
  items: CallEvent[]
  /** Where the list was last read: history stands in while the live store is away. */
  source: RecentCalls['source'] | 'history'
}

/** Up to when the stream told every call, by the calls' own times, in milliseconds. */
let toldUntil = 0

/** The one way in which calls that were pushed reach the live list. */
export function applyCallEvents(queries: QueryClient, events: readonly CallEvent[]): void {
  toldUntil = Math.max(toldUntil, newestAt(events))
  addToLive(queries, events)
}

export function liveCalls(queries: QueryClient): LiveCalls | undefined {
  return queries.getQueryData<LiveCalls>(RECENT_KEY)
}

/** Adds calls to the list if it was read; whether some of them were new to it. */
export function addToLive(queries: QueryClient, calls: readonly CallEvent[]): boolean {
  const before = liveCalls(queries)
  if (!before) return false
  const items = withCalls(before.items, calls)
  if (items === before.items) return false
  queries.setQueryData<LiveCalls>(RECENT_KEY, { ...before, items })
  return true
}

/** Ends the list at a call, where nothing is sure of what came before it. */
export function cutLive(queries: QueryClient, id: string): void {
  queries.setQueryData<LiveCalls>(RECENT_KEY, (live) => live && { ...live, items: downTo(live.items, id) })
}

/** Reads the live list; what it held is kept where the two belong together. */
export async function readRecent(queries: QueryClient, signal?: AbortSignal): Promise<LiveCalls> {
  await streamSettled()
  const start = Date.now()
  const { items: read, source } = await newestCalls(signal)
  const known = liveCalls(queries)?.items ?? []
  const items = withCalls(shareCall(read, known) ? known : [], read)
  if (known.length === 0) toldUntil = Math.max(toldUntil, newestAt(items))
  return { items: withCalls(items, recentCallEvents.since(start)), source }
}

/** From when on calls may be missing after the stream broke off, in milliseconds. */
export function brokenSince(): number {
  return toldUntil
}

export async function newestCalls(signal?: AbortSignal): Promise<LiveCalls> {
  try {
    return await recentCalls(signal)
  } catch (error) {
    if (asProblem(error).code !== 'dependency_unavailable') throw error
    const { items } = await callHistory({ limit: HISTORY_MOST }, signal)
    return { items, source: 'history' }
  }
}
