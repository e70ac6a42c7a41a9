import { useInfiniteQuery, useQueryClient, type InfiniteData } from '@tanstack/vue-query'
import { computed, watch, type Ref } from 'vue'
import { callHistory } from '@/api/calls'
import type { CallPage } from '@/api/types'
import { streamSettled } from '@/composables/live/useLive'
import { online } from '@/composables/useConnection'
import { historyQuery, type CallFilter } from './callFilter'

interface Place {
  cursor?: string
  /** Where a period began when its first page was read; later pages keep to it. */
  from?: string | null
}

type Page = CallPage & { from?: string | null; readAt: number }

/**
 * Pages of history, newest first. What was read stays as it is while calls arrive: each page
 * begins where the last ended, and only `restart` reads the first one again.
 */
export function useCallHistory(filter: Ref<CallFilter>) {
  const queries = useQueryClient()
  const queryKey = computed(() => ['calls', 'history', filter.value] as const)
  const query = useInfiniteQuery({
    queryKey,
    queryFn: async ({ pageParam, signal }): Promise<Page> => {
      await streamSettled()
      const readAt = Date.now()
      const asked = { ...historyQuery(filter.value, readAt), ...pageParam }
      return { ...(await callHistory(asked, signal)), from: asked.from, readAt }
    },
    initialPageParam: {} as Place,
    getNextPageParam: ({ next_cursor: cursor, from }): Place | null =>
      cursor ? { cursor, ...(from && { from }) } : null,
    staleTime: 'static',
    shallow: true,
  })
  const items = computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? [])
  const readAt = computed(() => query.data.value?.pages[0]?.readAt ?? Infinity)

  function more() {
    if (query.hasNextPage.value && !query.isFetching.value) void query.fetchNextPage()
  }
  /** Reads from the newest again; the further pages are let go, not read anew. */
  async function restart() {
    queries.setQueryData<InfiniteData<Page, Place>>(queryKey.value, (data) =>
      data && { pages: data.pages.slice(0, 1), pageParams: data.pageParams.slice(0, 1) },
    )
    await query.refetch()
  }
  const resume = () => (query.isFetchNextPageError.value ? query.fetchNextPage() : query.refetch())
  watch(online, (now) => now && query.isError.value && void resume())
  return { query, items, readAt, more, restart, resume }
}
