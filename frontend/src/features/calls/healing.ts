import type { QueryClient } from '@tanstack/vue-query'
import { ref } from 'vue'
import { callHistory, HISTORY_MOST } from '@/api/calls'
import type { CallEvent } from '@/api/types'
import { backoffMs } from '@/composables/live/backoff'
import { addToLive, brokenSince, cutLive, liveCalls, newestCalls } from './callCache'

/** A call reaches the log when it ends, and may have begun this long before. */
const LONGEST_CALL_MS = 15_000
/** History follows a call by up to a second or so; how long between two looks at it. */
const LOOK_AGAIN_MS = 1_500
const MOST_LOOKS = 10
/** What is further down than so many pages is cut off instead, for every client reads at once. */
const MOST_PAGES = 5

/** Whether calls that the stream could not tell are being read from history. */
export const healing = ref(false)

interface Turn {
  queries: QueryClient
  /** From when on calls may be missing, in milliseconds. */
  since: number
  signal: AbortSignal
}

interface Look {
  found: Set<string>
  /** Down to which call history was read. */
  oldest: string
  wasNew: boolean
}

let current: (Turn & { abort: () => void }) | null = null

/**
 * Closes a gap in the live list: what the live store has, and what only history has. Goes on
 * until it is closed; a further gap begins it anew. Where history holds more than is worth
 * reading the list ends above the hole.
 */
export async function healLive(queries: QueryClient): Promise<void> {
  const since = Math.min(brokenSince() - LONGEST_CALL_MS, current?.since ?? Infinity)
  current?.abort()
  const controller = new AbortController()
  const turn = { queries, since, signal: controller.signal, abort: () => controller.abort() }
  current = turn
  healing.value = true
  await heal(turn)
  if (current !== turn) return
  current = null
  healing.value = false
}

async function heal(turn: Turn): Promise<void> {
  let stored: readonly CallEvent[] | null = null
  let looks = 0
  let failures = 0
  while (!turn.signal.aborted && liveCalls(turn.queries) && looks < MOST_LOOKS) {
    try {
      stored ??= await readStore(turn)
      const look = await lookAtHistory(turn)
      if (looks > 0 && isWhole(stored, look)) return
      looks += 1
      failures = 0
    } catch (error) {
      if (turn.signal.aborted) return
      console.warn('A gap in the calls cannot be closed yet', error)
      failures += 1
    }
    await pause(failures ? backoffMs(failures) : LOOK_AGAIN_MS, turn.signal)
  }
}

async function readStore({ queries, since, signal }: Turn): Promise<CallEvent[]> {
  const { items } = await newestCalls(signal)
  addToLive(queries, items)
  return items.filter(({ timestamp }) => Date.parse(timestamp) >= since)
}

async function lookAtHistory({ queries, since, signal }: Turn): Promise<Look> {
  const look: Look = { found: new Set(), oldest: '', wasNew: false }
  let cursor: string | null = null
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const from = new Date(since).toISOString()
    const answer = await callHistory({ from, limit: HISTORY_MOST, ...(cursor && { cursor }) }, signal)
    for (const { id } of answer.items) look.found.add(id)
    look.wasNew = addToLive(queries, answer.items) || look.wasNew
    cursor = answer.next_cursor
    if (!cursor) return look
    look.oldest = answer.items.at(-1)?.id ?? ''
  }
  cutLive(queries, look.oldest)
  return look
}

/** History has all that the store had, and told nothing new when it was asked again. */
function isWhole(stored: readonly CallEvent[], { found, oldest, wasNew }: Look): boolean {
  return !wasNew && stored.every(({ id }) => id < oldest || found.has(id))
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done()
    const timer = setTimeout(done, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        done()
      },
      { once: true },
    )
  })
}
