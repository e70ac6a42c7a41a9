import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, ref, shallowRef, watch, type Ref } from 'vue'
import type { CallEvent } from '@/api/types'
import { useLive } from '@/composables/live/useLive'
import { readRecent, RECENT_KEY } from './callCache'
import { accepts, withoutTimes, type CallFilter } from './callFilter'
import { healing } from './healing'

/** How many rows are shown; what is older is in history. */
const SHOWN = 200

/**
 * The newest calls as they arrive. While paused, or while `holding` because one of them is open,
 * the list stays as it was and `waiting` counts what joined it since.
 */
export function useRecentCalls(filter: Ref<CallFilter>, holding: Ref<boolean>) {
  const queries = useQueryClient()
  const { pollMs } = useLive()
  const query = useQuery({
    queryKey: RECENT_KEY,
    queryFn: ({ signal }) => readRecent(queries, signal),
    refetchInterval: pollMs,
    structuralSharing: false,
    shallow: true,
  })
  const paused = ref(false)
  const held = shallowRef<CallEvent[] | null>(null)
  const live = computed(() => query.data.value?.items ?? [])
  watch([paused, holding], () => (held.value = isHeld() ? (held.value ?? live.value) : null), {
    immediate: true,
  })
  function isHeld() {
    return paused.value || (holding.value && live.value.length > 0)
  }

  const matching = computed(() => {
    const timeless = withoutTimes(filter.value)
    return (call: CallEvent) => accepts(timeless, call)
  })
  const items = computed(() => (held.value ?? live.value).filter(matching.value).slice(0, SHOWN))
  const heldIds = computed(() => new Set(held.value?.map(({ id }) => id)))
  const waiting = computed(() => (held.value ? waitingIn(live.value).length : 0))
  /** So many came that the list does not reach down to the held ones any more. */
  const overflowed = computed(() => {
    const newest = held.value?.[0]?.id
    return newest !== undefined && !live.value.some(({ id }) => id === newest)
  })
  function waitingIn(calls: CallEvent[]) {
    return calls.filter((call) => !heldIds.value.has(call.id) && matching.value(call))
  }

  return { query, items, paused, waiting, overflowed, healing }
}
