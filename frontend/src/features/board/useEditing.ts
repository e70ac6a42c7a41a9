import { useMutation, useQueryClient } from '@tanstack/vue-query'
import { computed, onScopeDispose, ref } from 'vue'
import { editMessage } from '@/api/messages'
import { asProblem } from '@/api/problem'
import type { Message } from '@/api/types'
import { applyBoardEvents } from './boardCache'
import { canPost } from './messageLength'

const UNDO_MS = 8_000

/** Changing one message in place; what it said before can be put back for a while. */
export function useEditing(message: () => Message) {
  const queries = useQueryClient()
  const editing = ref(false)
  const text = ref('')
  const before = ref<string | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined
  onScopeDispose(() => clearTimeout(timer))

  const { mutate, isPending, error, reset } = useMutation({
    mutationFn: (body: string) => editMessage(message().id, body),
    onSuccess: (changed) => {
      applyBoardEvents(queries, [{ type: 'updated', message: changed }])
      editing.value = false
    },
  })

  function begin() {
    reset()
    text.value = message().body
    editing.value = true
  }

  function save() {
    const old = message().body
    if (!canPost(text.value) || isPending.value) return
    if (text.value.trim() === old) return void (editing.value = false)
    mutate(text.value, { onSuccess: () => offerUndo(old) })
  }

  function offerUndo(old: string) {
    clearTimeout(timer)
    before.value = old
    timer = setTimeout(() => (before.value = null), UNDO_MS)
  }

  function undo() {
    if (before.value !== null) mutate(before.value)
    before.value = null
  }

  const cancel = () => (editing.value = false)
  const problem = computed(() => (error.value ? asProblem(error.value) : null))
  const canUndo = computed(() => before.value !== null)
  return { editing, text, problem, isPending, canUndo, begin, save, cancel, undo }
}
