import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, ref, watch, type Ref } from 'vue'
import { PAGE_SIZE, type MessageFilter } from '@/api/messages'
import type { MessagePage } from '@/api/types'
import { useLive } from '@/composables/live/useLive'
import { boardKey, readBoard } from './boardCache'
import { tailOf } from './messagePages'

/**
 * One page of the board. At the top new messages show at once; below it they wait above
 * `horizon`, counted in `waiting`, until `showNew`.
 */
export function useBoard(filter: Ref<MessageFilter>, atTop: Ref<boolean>) {
  const queries = useQueryClient()
  const { pollMs } = useLive()
  const query = useQuery({
    queryKey: computed(() => boardKey(filter.value)),
    queryFn: ({ signal }) => readBoard(filter.value, signal),
    refetchInterval: pollMs,
    placeholderData: keepPreviousData,
  })
  const horizon = ref(Infinity)
  const newest = () => query.data.value?.items[0]?.id ?? Infinity
  watch(atTop, (top) => (horizon.value = top ? Infinity : newest()))
  watch(filter, () => (horizon.value = Infinity))

  const settled = computed(() => query.data.value?.items.filter(({ id }) => id <= horizon.value) ?? [])
  const items = computed(() => settled.value.slice(0, PAGE_SIZE))
  const waiting = computed(() => (query.data.value?.items.length ?? 0) - settled.value.length)
  const hasOlder = computed(
    () => settled.value.length > items.value.length || Boolean(query.data.value?.next_cursor),
  )
  const showNew = () => (horizon.value = Infinity)

  /** Where the next older page begins; re-read first when newer messages have shifted this one. */
  async function olderCursor(): Promise<string | null> {
    const page = query.data.value
    const shifted = page && items.value.at(-1)?.id !== tailOf(page)
    const fresh: MessagePage | undefined = shifted
      ? await queries.fetchQuery({
          queryKey: boardKey(filter.value),
          queryFn: () => readBoard(filter.value),
          staleTime: 0,
        })
      : page
    return fresh?.next_cursor ?? null
  }

  return { query, items, waiting, hasOlder, showNew, olderCursor }
}
