import type { QueryClient } from '@tanstack/vue-query'
import type { Topic } from '@/api/types'
import type { LiveFeed } from '@/composables/live/useLive'
import { applyBoardEvents, BOARD_KEY } from './board/boardCache'
import { applyCallEvents, liveCalls, RECENT_KEY } from './calls/callCache'
import { healLive } from './calls/healing'

const LISTS: Record<Topic, readonly string[]> = { messages: BOARD_KEY, calls: RECENT_KEY }

/** What the stream does to the query cache. */
export function makeLiveFeed(queries: QueryClient, sessionEnded: () => void): LiveFeed {
  return {
    messages: (events) => applyBoardEvents(queries, events),
    calls: (events) => applyCallEvents(queries, events),
    reread(topics) {
      for (const topic of topics) {
        if (topic === 'calls' && liveCalls(queries)) void healLive(queries)
        else void readAgain(queries, LISTS[topic])
      }
    },
    sessionEnded,
  }
}

/** Also what is being read at this moment: the server may have answered before the gap. */
async function readAgain(queries: QueryClient, queryKey: readonly string[]) {
  await queries.cancelQueries({ queryKey })
  await queries.invalidateQueries({ queryKey })
}
