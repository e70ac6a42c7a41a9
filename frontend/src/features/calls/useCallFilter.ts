import { computed } from 'vue'
import { useRoute, useRouter, type LocationQuery } from 'vue-router'
import { FILTER_NAMES, filterFrom } from './callFilter'

/** The filter of the calls pages, and the call that is open, both kept in the address. */
export function useCallFilter() {
  const route = useRoute()
  const router = useRouter()
  const filter = computed(() => filterFrom(route.query))
  const openId = computed(() => (typeof route.query.call === 'string' ? route.query.call : null))

  const set = (changes: LocationQuery) =>
    router.replace({ query: withoutEmpty({ ...route.query, ...changes }) })
  const clear = () => set(Object.fromEntries(FILTER_NAMES.map((name) => [name, null])))
  const linkTo = (id: string) => ({ query: { ...route.query, call: id } })
  const close = () => router.replace({ query: withoutEmpty({ ...route.query, call: null }) })
  return { filter, openId, set, clear, linkTo, close }
}

function withoutEmpty(query: LocationQuery): LocationQuery {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value))
}
