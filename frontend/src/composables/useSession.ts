import { useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/vue-query'
import { computed } from 'vue'
import { useRouter } from 'vue-router'
import { currentSession, signOut } from '@/api/account'
import type { CurrentSession, User } from '@/api/types'

export const SESSION_KEY = ['session'] as const

const sessionQuery = { queryKey: SESSION_KEY, queryFn: currentSession, staleTime: Infinity }

/** The session, read from the server only the first time. */
export function ensureSession(queries: QueryClient): Promise<CurrentSession | null> {
  return queries.ensureQueryData(sessionQuery)
}

/** Puts a new session in place and forgets everything that was read under another one. */
export function beginSession(queries: QueryClient, session: CurrentSession | null): void {
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] })
  queries.setQueryData(SESSION_KEY, session)
}

export function useSession() {
  const queries = useQueryClient()
  const router = useRouter()
  const { data, error } = useQuery({ ...sessionQuery, retryOnMount: false })
  const user = computed(() => data.value?.user ?? null)
  const renamed = (user: User) =>
    queries.setQueryData<CurrentSession | null>(SESSION_KEY, (old) => old && { ...old, user })
  const leave = async () => {
    beginSession(queries, null)
    await router.push({ name: 'sign-in' })
  }
  const { mutateAsync: end } = useMutation({ mutationFn: signOut, onSettled: leave })
  return { session: data, error, user, renamed, leave, end: () => end() }
}
