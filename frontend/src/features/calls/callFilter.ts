import type { LocationQuery } from 'vue-router'
import type { HistoryQuery } from '@/api/calls'
import type { CallEvent } from '@/api/types'

/** What both views of the calls are narrowed to; every value comes from the address. */
export interface CallFilter {
  method?: string
  endpoint?: string
  /** A code (`404`) or a class (`4xx`). */
  status?: string
  user?: string
  from?: string
  to?: string
  /** Also the reads of the call log and the statistics. */
  reads: boolean
}

export const FILTER_NAMES = ['method', 'endpoint', 'status', 'user', 'from', 'to'] as const

export function filterFrom(query: LocationQuery): CallFilter {
  const filter: CallFilter = { reads: query.reads === '1' }
  for (const name of FILTER_NAMES) {
    const value = query[name]
    if (typeof value === 'string' && value) filter[name] = value
  }
  return filter
}

export function historyQuery({ reads, ...filter }: CallFilter): HistoryQuery {
  return { ...filter, log_reads: reads }
}

/** Whether a call is one the filter asks for: what the server answers for history, for live. */
export function accepts(filter: CallFilter, call: CallEvent): boolean {
  return (
    (filter.reads || !isLogRead(call)) &&
    (!filter.method || call.method === filter.method) &&
    (!filter.endpoint || call.endpoint === filter.endpoint) &&
    (!filter.user || call.user_id === filter.user) &&
    (!filter.status || hasStatus(call.status, filter.status)) &&
    isWithin(filter, Date.parse(call.timestamp))
  )
}

export function isFiltering(filter: CallFilter): boolean {
  return FILTER_NAMES.some((name) => filter[name])
}

/** From `from` on and before `to`; a moment that cannot be read bounds nothing. */
function isWithin({ from, to }: CallFilter, at: number): boolean {
  return !(from && at < Date.parse(from)) && !(to && at >= Date.parse(to))
}

function hasStatus(status: number, wanted: string): boolean {
  return wanted.endsWith('xx') ? String(status)[0] === wanted[0] : String(status) === wanted
}

function isLogRead(call: CallEvent): boolean {
  return call.method === 'GET' && /^\/api\/(logs|stats)(\/|$)/.test(call.endpoint)
}
