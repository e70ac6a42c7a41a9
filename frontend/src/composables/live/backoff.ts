const FIRST_MS = 500
const LONGEST_MS = 30_000

/** Full jitter (M. Brooker, "Exponential Backoff And Jitter"), never under half the step. */
export function backoffMs(attempt: number, random = Math.random): number {
  const step = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16))
  return Math.round(step / 2 + (random() * step) / 2)
}
