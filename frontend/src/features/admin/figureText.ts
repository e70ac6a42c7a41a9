type Value = number | string | null | undefined

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const
const SPANS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const

/** `1.2 MB`, in thousands. */
export function bytesText(bytes: number, locale: string): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), BYTE_UNITS.length - 1)
  return unitText(bytes / 1000 ** power, BYTE_UNITS[power] ?? 'byte', locale)
}

/** How long, in the largest unit that it fills: `4.2 sec`, `3 min`. */
export function spanText(seconds: number, locale: string): string {
  const [unit, size] = SPANS.find(([, size]) => seconds >= size) ?? (['second', 1] as const)
  return unitText(seconds / size, unit, locale)
}

/**
 * A figure of a process by its name, whose end says its unit. A moment is told as how long before
 * `at` it was, for both are of the server's clock; null is what is not known.
 */
export function figureText(name: string, value: Value, at: string, locale: string): string | null {
  if (value === null || value === undefined) return null
  if (name.endsWith('_at')) return spanText(secondsBetween(String(value), at), locale)
  if (typeof value === 'string') return value
  if (name.endsWith('_bytes')) return bytesText(value, locale)
  if (name.endsWith('_seconds')) return spanText(value, locale)
  return new Intl.NumberFormat(locale).format(value)
}

export function secondsBetween(from: string, to: string): number {
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000)
}

function unitText(value: number, unit: string, locale: string): string {
  const digits = value < 10 ? 1 : 0
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit,
    unitDisplay: unit.endsWith('byte') ? 'narrow' : 'short',
    maximumFractionDigits: unit === 'byte' ? 0 : digits,
  }).format(value)
}
