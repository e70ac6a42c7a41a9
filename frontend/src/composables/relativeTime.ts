const STEPS = [
  ['minute', 60],
  ['hour', 3_600],
  ['day', 86_400],
  ['week', 604_800],
] as const

const LAST_RELATIVE_SECONDS = 4 * 604_800

/**
 * How long ago a moment was in the words of a language: `null` for the last half minute (which
 * the caller names) and the date for what is more than four weeks away. A clock that is a little
 * ahead of ours counts as now.
 */
export function relativeTime(at: Date, now: Date, locale: string): string | null {
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000)
  if (seconds < 30) return null
  if (seconds >= LAST_RELATIVE_SECONDS) return dateOf(at, now, locale)
  if (seconds < 60) return format(seconds, 'second', locale)
  const [unit, size] = STEPS.findLast(([, step]) => seconds >= step) ?? STEPS[0]
  return format(Math.floor(seconds / size), unit, locale)
}

function format(value: number, unit: Intl.RelativeTimeFormatUnit, locale: string): string {
  return new Intl.RelativeTimeFormat(locale, { numeric: 'always' }).format(-value, unit)
}

function dateOf(at: Date, now: Date, locale: string): string {
  const year = at.getFullYear() === now.getFullYear() ? {} : ({ year: 'numeric' } as const)
  return new Intl.DateTimeFormat(locale, { ...year, month: 'short', day: 'numeric' }).format(at)
}
