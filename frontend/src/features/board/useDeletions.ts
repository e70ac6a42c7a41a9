import { useQueryClient } from '@tanstack/vue-query'
import { reactive } from 'vue'
import { deleteMessage } from '@/api/messages'
import { asProblem, type Problem } from '@/api/problem'
import { applyBoardEvents } from './boardCache'

export const UNDO_SECONDS = 5

interface Deletion {
  timer: ReturnType<typeof setTimeout>
  problem: Problem | null
  commit(keepalive?: boolean): Promise<void>
}

/** Messages whose deletion was asked for and can still be taken back. */
const pending = reactive(new Map<number, Deletion>())

window.addEventListener('pagehide', () => {
  for (const deletion of pending.values()) if (!deletion.problem) void deletion.commit(true)
})

/** Deletes a message a few seconds after it was asked for, so that `undo` is honest. */
export function useDeletions() {
  const queries = useQueryClient()

  function ask(id: number) {
    const commit = async (keepalive = false) => {
      clearTimeout(timer)
      try {
        await deleteMessage(id, keepalive)
        applyBoardEvents(queries, [{ type: 'deleted', id }])
        pending.delete(id)
      } catch (error) {
        const problem = asProblem(error)
        const deletion = pending.get(id)
        if (problem.status === 404) pending.delete(id)
        else if (deletion) deletion.problem = problem
      }
    }
    const timer = setTimeout(() => void commit(), UNDO_SECONDS * 1000)
    pending.set(id, { timer, problem: null, commit })
  }

  function undo(id: number) {
    clearTimeout(pending.get(id)?.timer)
    pending.delete(id)
  }

  return { pending, ask, undo }
}
