import { useThrottleFn } from '@vueuse/core'
import { computed, shallowRef, triggerRef, type Ref } from 'vue'
import type { CallEvent } from '@/api/types'
import { onCallsArrived, recentCallEvents } from '@/composables/live/useLive'
import { accepts, type CallFilter } from './callFilter'

const COUNT_MS = 500

/**
 * How many calls the stream told that a page of history, read at `readAt` (milliseconds), should
 * have on top and has not. `atLeast`: there may be more than that.
 */
export function useNewerCalls(filter: Ref<CallFilter>, shown: Ref<CallEvent[]>, readAt: Ref<number>) {
  const arrivals = shallowRef(recentCallEvents)
  onCallsArrived(useThrottleFn(() => triggerRef(arrivals), COUNT_MS, true))
  const count = computed(() => newerThan(shown.value, arrivals.value.since(0), filter.value).size)
  const atLeast = computed(() => !arrivals.value.isWholeSince(readAt.value))
  return { count, atLeast }
}

/** The ids of calls that the filter asks for, that are not shown, and do not come further down. */
export function newerThan(shown: CallEvent[], arrived: CallEvent[], filter: CallFilter): Set<string> {
  const known = new Set(shown.map(({ id }) => id))
  const oldest = shown.at(-1)?.id ?? ''
  const news = arrived.filter((call) => call.id > oldest && !known.has(call.id) && accepts(filter, call))
  return new Set(news.map(({ id }) => id))
}
