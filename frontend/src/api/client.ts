import createClient from 'openapi-fetch'
import { ref } from 'vue'
import { Problem, problemFrom, UNREACHABLE } from './problem'
import type { paths } from './schema'

export const client = createClient<paths>({ credentials: 'same-origin' })

/** Whether the last request found the server; see `useConnection`. */
export const reachable = ref(true)

let whenSignedOut = () => {}

/** Called once for an answer that says the session has ended. */
export function onSignedOut(action: () => void): void {
  whenSignedOut = action
}

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** Gives the body of a success; throws a `Problem` for everything else. */
export async function answer<T>(request: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await request.catch(unreachable)
  reachable.value = true
  if (response.ok) return data as T
  const problem = problemFrom(error, response.status)
  if (problem.code === 'unauthenticated') whenSignedOut()
  throw problem
}

/** Asks whether the server is there at all. */
export async function probe(): Promise<boolean> {
  try {
    const response = await fetch('/api/health/live', { cache: 'no-store' })
    reachable.value = response.ok
  } catch {
    reachable.value = false
  }
  return reachable.value
}

function unreachable(error: unknown): never {
  if (error instanceof DOMException && error.name === 'AbortError') throw error
  reachable.value = false
  throw new Problem(UNREACHABLE, 0)
}
