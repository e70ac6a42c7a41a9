import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { readCall } from '@/api/calls'
import { Problem } from '@/api/problem'
import { liveCalls } from './callCache'

const RECORDING_RETRIES = 8
const RECORDING_WAIT_MS = 300

/** One call. History follows a call by up to a second, so `not_found` is asked again for a while. */
export function useCall(id: Ref<string>) {
  const queries = useQueryClient()
  return useQuery({
    queryKey: computed(() => ['calls', 'one', id.value] as const),
    queryFn: ({ signal }) => readCall(id.value, signal),
    initialData: () => liveCalls(queries)?.items.find((call) => call.id === id.value),
    staleTime: Infinity,
    retry: (failures, error) =>
      error instanceof Problem && error.code === 'not_found' && failures < RECORDING_RETRIES,
    retryDelay: RECORDING_WAIT_MS,
  })
}
