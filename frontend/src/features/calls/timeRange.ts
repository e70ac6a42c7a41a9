const MINUTE_MS = 60_000

/** Stretches of time that end now, as the address names them. */
export const PERIOD_MS = {
  '15m': 15 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
  '24h': 24 * 60 * MINUTE_MS,
  '7d': 7 * 24 * 60 * MINUTE_MS,
} as const

export type Period = keyof typeof PERIOD_MS
export const PERIODS = Object.keys(PERIOD_MS) as Period[]

export function isPeriod(value: unknown): value is Period {
  return typeof value === 'string' && Object.hasOwn(PERIOD_MS, value)
}

/** A moment as an `<input type="datetime-local">` holds it: to the second, in the reader's zone. */
export function toLocalInput(moment: string): string {
  const at = new Date(moment)
  return new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 19)
}

/** The moment of such an input in UTC, or null when it is empty. */
export function fromLocalInput(value: string): string | null {
  const at = new Date(value)
  return Number.isNaN(at.getTime()) ? null : at.toISOString()
}
