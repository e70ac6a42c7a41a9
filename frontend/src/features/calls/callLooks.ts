/** Colours for what a reader should see at a glance; the text beside them says the same. */
export function statusLook(status: number): string {
  if (status >= 500) return 'text-error'
  if (status >= 400) return 'text-warning'
  if (status >= 300) return 'text-info'
  return 'text-success'
}

const SLOW_US = 100_000
const VERY_SLOW_US = 500_000

export function latencyLook(durationUs: number): string {
  if (durationUs >= VERY_SLOW_US) return 'text-error'
  if (durationUs >= SLOW_US) return 'text-warning'
  return 'text-muted'
}

const SHORTEST_US = 100
const LONGEST_US = 1_000_000

/** The length of a latency bar, 0 to 1, on a logarithmic scale from 0.1 ms to 1 s. */
export function latencyShare(durationUs: number): number {
  const share = Math.log(durationUs / SHORTEST_US) / Math.log(LONGEST_US / SHORTEST_US)
  return Math.min(1, Math.max(0.02, share))
}
