import { useMutation, useQueryClient } from '@tanstack/vue-query'
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { asProblem } from '@/api/problem'
import type { CurrentSession } from '@/api/types'
import { beginSession } from '@/composables/useSession'
import { safeNext } from '@/router'

/** What signing in and registering have in common: begin the session, go where one was headed. */
export function useEntry<Form>(enter: (form: Form) => Promise<CurrentSession>) {
  const queries = useQueryClient()
  const route = useRoute()
  const router = useRouter()
  const { mutate, isPending, error } = useMutation({
    mutationFn: enter,
    onSuccess: async (session) => {
      beginSession(queries, session)
      await router.replace(safeNext(route.query.next))
    },
  })
  const problem = computed(() => (error.value ? asProblem(error.value) : null))
  return { submit: mutate, isPending, problem }
}
