import { answer, client } from './client'
import type { paths } from './schema'
import type { CallEvent, CallPage, RecentCalls } from './types'

export type HistoryQuery = NonNullable<paths['/api/logs/kafka']['get']['parameters']['query']>

/** The most the API gives at once. */
const RECENT_MOST = 1_000
export const HISTORY_MOST = 200

const HISTORY_LIMIT = 50

export function recentCalls(signal?: AbortSignal): Promise<RecentCalls> {
  return answer(client.GET('/api/logs/redis', { params: { query: { limit: RECENT_MOST } }, signal }))
}

export function callHistory(filter: HistoryQuery, signal?: AbortSignal): Promise<CallPage> {
  const query = { limit: HISTORY_LIMIT, ...filter }
  return answer(client.GET('/api/logs/kafka', { params: { query }, signal }))
}

export function readCall(id: string, signal?: AbortSignal): Promise<CallEvent> {
  return answer(client.GET('/api/logs/kafka/{id}', { params: { path: { id } }, signal }))
}
