import type { CallEvent } from '@/api/types'

/** How many calls the live list holds, so that a filter finds some in the flood. */
export const KEPT = 5_000

/** A clock may be this far ahead; what is dated later is marked. */
const AHEAD_MS = 10_000

/** Adds calls to a list that is newest first by id (UUIDv7, which sorts by time), each once. */
export function withCalls(items: readonly CallEvent[], events: readonly CallEvent[]): CallEvent[] {
  const known = new Set(items.map(({ id }) => id))
  const news = events.filter(({ id }) => !known.has(id) && known.add(id))
  if (news.length === 0) return items as CallEvent[]
  return [...news, ...items].sort(byNewest).slice(0, KEPT)
}

/** The calls from the newest down to `id`, which the last one still is. */
export function downTo(items: readonly CallEvent[], id: string): CallEvent[] {
  return items.filter((call) => call.id >= id)
}

export function shareCall(some: readonly CallEvent[], others: readonly CallEvent[]): boolean {
  const known = new Set(some.map(({ id }) => id))
  return others.some(({ id }) => known.has(id))
}

/** The time of the newest call that is not dated ahead, in milliseconds, or 0. */
export function newestAt(items: readonly CallEvent[], now = Date.now()): number {
  const times = items.map(({ timestamp }) => Date.parse(timestamp))
  return times.reduce((newest, at) => (at > newest && at <= now + AHEAD_MS ? at : newest), 0)
}

/** Whether a call is dated in the future: as the recorder marked it, or by this clock. */
export function isAhead(call: CallEvent & { counted_at?: string | null }, now = Date.now()): boolean {
  return Boolean(call.counted_at) || Date.parse(call.timestamp) > now + AHEAD_MS
}

/** Array.prototype.sort is linear on two runs that are sorted already. */
function byNewest(a: CallEvent, b: CallEvent): number {
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0
}
