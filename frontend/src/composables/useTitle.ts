import { watchEffect } from 'vue'
import { useI18n } from 'vue-i18n'

/** Names the page in the browser's tab, in the language of the moment. */
export function useTitle(title: () => string): void {
  const { t } = useI18n()
  watchEffect(() => (document.title = `${title()} · ${t('brand')}`))
}
