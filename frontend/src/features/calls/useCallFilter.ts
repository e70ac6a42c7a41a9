import { computed } from 'vue'
import { useRoute, useRouter, type LocationQuery } from 'vue-router'
import { FIELDS, filterFrom, TIMES } from './callFilter'

/** What to change in the address; null takes a value out of it. */
export type Changes = Record<string, string | null>

/** The filter of the calls pages, and the call that is open, both kept in the address. */
export function useCallFilter() {
  const route = useRoute()
  const router = useRouter()
  const filter = computed(() => filterFrom(route.query))
  const openId = computed(() => (typeof route.query.call === 'string' ? route.query.call : null))

  /** A choice is a step to go back from; going on with one (`amend`) is not a further step. */
  const set = (changes: Changes, amend = false) =>
    router[amend ? 'replace' : 'push']({ query: withoutEmpty({ ...route.query, ...changes }) })
  const clear = () => set(Object.fromEntries([...FIELDS, ...TIMES].map((name) => [name, null])))
  const linkTo = computed(() => {
    const { query } = route
    return (id: string) => ({ query: { ...query, call: id } })
  })

  /** Goes back to where the call was opened, so that closing it leaves no step behind. */
  function close() {
    const closed = { query: withoutEmpty({ ...route.query, call: null }) }
    if (window.history.state?.back === router.resolve(closed).fullPath) router.back()
    else void router.replace(closed)
  }
  return { filter, openId, set, clear, linkTo, close }
}

function withoutEmpty(query: LocationQuery): LocationQuery {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value))
}
