import { useI18n } from 'vue-i18n'
import { relativeTime } from './relativeTime'
import { useNow } from './useNow'

const CLOCK: Intl.DateTimeFormatOptions = {
  hour12: false,
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
}
const DAY_AND_CLOCK: Intl.DateTimeFormatOptions = { ...CLOCK, year: '2-digit', month: '2-digit', day: '2-digit' }
const LONG: Intl.DateTimeFormatOptions = { dateStyle: 'long', timeStyle: 'long' }
const DATE: Intl.DateTimeFormatOptions = { dateStyle: 'long' }
const PLAIN: Intl.NumberFormatOptions = {}
const MILLISECONDS: Intl.NumberFormatOptions = { maximumSignificantDigits: 3 }
const SECONDS: Intl.NumberFormatOptions = { maximumFractionDigits: 2 }

const dates = kept((locale, options) => new Intl.DateTimeFormat(locale, options))
const numbers = kept((locale, options) => new Intl.NumberFormat(locale, options))

/** Numbers and moments in the reader's language and time zone. */
export function useFormat() {
  const { t, locale } = useI18n()
  const now = useNow()

  const moment = (options: Intl.DateTimeFormatOptions) => (timestamp: string) =>
    dates(locale.value, options).format(new Date(timestamp))
  const number = (value: number) => numbers(locale.value, PLAIN).format(value)
  const exact = moment(LONG)
  const date = moment(DATE)
  const clock = moment(CLOCK)
  /** With the day where that is not today. */
  const dayAndClock = (timestamp: string) =>
    new Date(timestamp).toDateString() === new Date().toDateString()
      ? clock(timestamp)
      : moment(DAY_AND_CLOCK)(timestamp)
  const relative = (timestamp: string) =>
    relativeTime(new Date(timestamp), now.value, locale.value) ?? t('time.now')
  const duration = (microseconds: number) =>
    microseconds < 1_000_000
      ? `${numbers(locale.value, MILLISECONDS).format(microseconds / 1000)} ms`
      : `${numbers(locale.value, SECONDS).format(microseconds / 1_000_000)} s`

  return { number, exact, date, clock, dayAndClock, relative, duration }
}

/** Making a formatter costs a hundred times what using it does, and a list uses many. */
function kept<Options extends object, Formatter>(make: (locale: string, options: Options) => Formatter) {
  const byOptions = new Map<Options, Map<string, Formatter>>()
  return (locale: string, options: Options): Formatter => {
    const byLocale = byOptions.get(options) ?? new Map<string, Formatter>()
    byOptions.set(options, byLocale)
    const formatter = byLocale.get(locale) ?? make(locale, options)
    byLocale.set(locale, formatter)
    return formatter
  }
}
