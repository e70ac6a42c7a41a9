import { useI18n } from 'vue-i18n'
import { relativeTime } from './relativeTime'
import { useNow } from './useNow'

/** Numbers and moments in the reader's language and time zone. */
export function useFormat() {
  const { t, locale } = useI18n()
  const now = useNow()

  const number = (value: number) => new Intl.NumberFormat(locale.value).format(value)
  const exact = (timestamp: string) =>
    new Intl.DateTimeFormat(locale.value, { dateStyle: 'long', timeStyle: 'long' }).format(
      new Date(timestamp),
    )
  const date = (timestamp: string) =>
    new Intl.DateTimeFormat(locale.value, { dateStyle: 'long' }).format(new Date(timestamp))
  const clock = (timestamp: string) =>
    new Intl.DateTimeFormat(locale.value, {
      hour12: false,
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      fractionalSecondDigits: 3,
    }).format(new Date(timestamp))
  const relative = (timestamp: string) =>
    relativeTime(new Date(timestamp), now.value, locale.value) ?? t('time.now')
  const duration = (microseconds: number) =>
    microseconds < 1_000_000
      ? `${new Intl.NumberFormat(locale.value, { maximumSignificantDigits: 3 }).format(microseconds / 1000)} ms`
      : `${new Intl.NumberFormat(locale.value, { maximumFractionDigits: 2 }).format(microseconds / 1_000_000)} s`

  return { number, exact, date, clock, relative, duration }
}
