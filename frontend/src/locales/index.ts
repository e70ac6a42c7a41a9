import { createI18n } from 'vue-i18n'

export const LOCALES = ['ko', 'en'] as const
export type Locale = (typeof LOCALES)[number]

const STORED = 'madang.locale'

const load = {
  ko: () => import('./ko.json'),
  en: () => import('./en.json'),
}

export const i18n = createI18n({
  legacy: false,
  locale: 'ko' as Locale,
  fallbackLocale: false,
  missingWarn: false,
})

/** The language chosen before, else the browser's if we speak it, else Korean. */
export function preferredLocale(
  stored: string | null = storedLocale(),
  spoken: readonly string[] = navigator.languages,
): Locale {
  const isOurs = (tag: string | null): tag is Locale => LOCALES.some((locale) => locale === tag)
  if (isOurs(stored)) return stored
  return spoken.map((tag) => tag.slice(0, 2).toLowerCase()).find(isOurs) ?? 'ko'
}

/** Switches the page to a language, loading it the first time. */
export async function showLanguage(locale: Locale): Promise<void> {
  const messages = await load[locale]()
  i18n.global.setLocaleMessage(locale, messages.default)
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}

export async function chooseLanguage(locale: Locale): Promise<void> {
  await showLanguage(locale)
  try {
    localStorage.setItem(STORED, locale)
  } catch {
    // Without storage the choice holds until the page is left.
  }
}

function storedLocale(): string | null {
  try {
    return localStorage.getItem(STORED)
  } catch {
    return null
  }
}
