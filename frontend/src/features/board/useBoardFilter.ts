import { computed } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'
import type { MessageFilter } from '@/api/messages'

/** What the board shows, kept in the address so that it survives Back and a reload. */
export function useBoardFilter() {
  const route = useRoute()
  const router = useRouter()
  const filter = computed<MessageFilter>(() => ({
    ...withText('q', route.query.q),
    ...withText('user', route.query.user),
    ...withText('cursor', route.query.cursor),
  }))
  const pageNumber = computed(() => Math.max(1, Number(route.query.page) || 1))

  const newestPage = (): LocationQueryRaw => ({ q: filter.value.q, user: filter.value.user })
  const goOlder = (cursor: string) =>
    router.push({ name: 'board', query: { ...newestPage(), cursor, page: pageNumber.value + 1 } })
  const goNewer = () => {
    const cameFromBoard = /^\/(\?|$)/.test(String(router.options.history.state.back ?? ''))
    return cameFromBoard ? router.back() : router.push({ name: 'board', query: newestPage() })
  }
  return { filter, pageNumber, newestPage, goOlder, goNewer }
}

function withText<K extends string>(name: K, value: unknown): { [key in K]?: string } {
  return typeof value === 'string' && value ? ({ [name]: value } as { [key in K]?: string }) : {}
}
