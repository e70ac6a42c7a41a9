import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, ref, type Ref } from 'vue'
import { callHistory, readCall } from '@/api/calls'
import { Problem } from '@/api/problem'
import type { CallEvent, RecentCalls } from '@/api/types'
import { useLive } from '@/composables/live/useLive'
import { readRecent, RECENT_KEY } from './callCache'
import { accepts, historyQuery, type CallFilter } from './callFilter'

const RECORDING_RETRIES = 8
const RECORDING_WAIT_MS = 300

/** The newest calls as they arrive; while paused, the list as it was, and how many came since. */
export function useRecentCalls(filter: Ref<CallFilter>) {
  const { pollMs } = useLive()
  const query = useQuery({
    queryKey: RECENT_KEY,
    queryFn: ({ signal }) => readRecent(signal),
    refetchInterval: pollMs,
  })
  const held = ref<CallEvent[] | null>(null)
  const matching = (calls: CallEvent[]) => calls.filter((call) => accepts(filter.value, call))
  const arrived = computed(() => matching(query.data.value?.items ?? []))
  const items = computed(() => (held.value ? matching(held.value) : arrived.value))
  const missed = computed(() => {
    const newest = held.value?.[0]?.id ?? ''
    return held.value ? arrived.value.filter(({ id }) => id > newest).length : 0
  })
  const togglePause = () => (held.value = held.value ? null : (query.data.value?.items ?? []))
  const paused = computed(() => held.value !== null)
  return { query, items, paused, missed, togglePause }
}

export function useCallHistory(filter: Ref<CallFilter>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ['calls', 'history', filter.value] as const),
    queryFn: ({ pageParam, signal }) =>
      callHistory({ ...historyQuery(filter.value), ...(pageParam && { cursor: pageParam }) }, signal),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    staleTime: 10_000,
  })
  const items = computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? [])
  return { query, items }
}

/** One call. History follows a call by up to a second, so `not_found` is asked again for a while. */
export function useCall(id: Ref<string | null>) {
  const queries = useQueryClient()
  return useQuery({
    queryKey: computed(() => ['calls', 'one', id.value] as const),
    queryFn: ({ signal }) => readCall(id.value ?? '', signal),
    enabled: computed(() => id.value !== null),
    initialData: () =>
      queries.getQueryData<RecentCalls>(RECENT_KEY)?.items.find((call) => call.id === id.value),
    staleTime: Infinity,
    retry: (failures, error) =>
      error instanceof Problem && error.code === 'not_found' && failures < RECORDING_RETRIES,
    retryDelay: RECORDING_WAIT_MS,
  })
}
