import type { LocationQuery } from 'vue-router'
import type { HistoryQuery } from '@/api/calls'
import type { CallEvent } from '@/api/types'
import { isPeriod, PERIOD_MS, type Period } from './timeRange'

/** What the calls are narrowed to; every value comes from the address. */
export interface CallFilter {
  method?: string
  endpoint?: string
  /** A code (`404`) or a class (`4xx`). */
  status?: string
  user?: string
  service?: string
  /** The first moment, and the first one after, RFC 3339. */
  from?: string
  to?: string
  /** A stretch of time that ends now, in place of `from` and `to`. */
  period?: Period
  /** Also the reads of the call log and the statistics. */
  reads: boolean
}

export const FIELDS = ['method', 'endpoint', 'status', 'user', 'service'] as const
export type Field = (typeof FIELDS)[number]

export const TIMES = ['from', 'to', 'period'] as const

/** What the address says; a value that cannot be one narrows nothing. */
export function filterFrom(query: LocationQuery): CallFilter {
  const filter: CallFilter = { reads: query.reads === '1' }
  for (const name of FIELDS) {
    const value = query[name]
    if (typeof value === 'string' && value && (name !== 'status' || isStatus(value))) filter[name] = value
  }
  if (isPeriod(query.period)) return { ...filter, period: query.period }
  for (const name of ['from', 'to'] as const) {
    const value = query[name]
    if (typeof value === 'string' && !Number.isNaN(Date.parse(value))) filter[name] = value
  }
  return filter
}

/** The filter of the live view, which has no end and no beginning. */
export function withoutTimes(filter: CallFilter): CallFilter {
  return { ...filter, from: undefined, to: undefined, period: undefined }
}

export function historyQuery({ reads, period, ...filter }: CallFilter, now = Date.now()): HistoryQuery {
  const from = period && new Date(now - PERIOD_MS[period]).toISOString()
  return { ...filter, ...(from && { from }), log_reads: reads }
}

/** Whether a call is one the filter asks for: what the server answers for history, for live. */
export function accepts(filter: CallFilter, call: CallEvent, now = Date.now()): boolean {
  return (
    (!filter.method || call.method === filter.method) &&
    (!filter.endpoint || call.endpoint === filter.endpoint) &&
    (!filter.user || call.user_id === filter.user) &&
    (!filter.service || call.service_name === filter.service) &&
    (!filter.status || hasStatus(call.status, filter.status)) &&
    (filter.reads || !isLogRead(call)) &&
    isWithin(filter, call, now)
  )
}

/** By how many of its values the filter narrows. */
export function countOf(filter: CallFilter): number {
  return [...FIELDS, ...TIMES].filter((name) => filter[name]).length
}

export function isFiltering(filter: CallFilter): boolean {
  return countOf(filter) > 0
}

function isWithin({ from, to, period }: CallFilter, call: CallEvent, now: number): boolean {
  if (!from && !to && !period) return true
  const at = Date.parse(call.timestamp)
  if (period) return at >= now - PERIOD_MS[period]
  return !(from && at < Date.parse(from)) && !(to && at >= Date.parse(to))
}

function isStatus(text: string): boolean {
  return /^[1-5](xx|\d\d)$/.test(text)
}

function hasStatus(status: number, wanted: string): boolean {
  return wanted.endsWith('xx') ? String(status)[0] === wanted[0] : String(status) === wanted
}

function isLogRead(call: CallEvent): boolean {
  return call.method === 'GET' && /^\/api\/(logs|stats|admin\/system)(\/|$)/.test(call.endpoint)
}
