import { useQuery } from '@tanstack/vue-query'
import { toValue, type MaybeRefOrGetter } from 'vue'
import { systemState } from '@/api/system'

/** With reports every two seconds and silence after five, what happens shows within ten. */
const REFRESH_MS = 3_000

/** The state of the system, read again and again while the page can be seen. */
export function useSystem(allowed: MaybeRefOrGetter<boolean>) {
  return useQuery({
    queryKey: ['system'] as const,
    queryFn: ({ signal }) => systemState(signal),
    enabled: () => toValue(allowed),
    refetchInterval: REFRESH_MS,
    staleTime: 0,
    retry: false,
  })
}
