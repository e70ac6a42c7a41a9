import { useColorMode } from '@vueuse/core'
import { computed } from 'vue'

const ORDER = ['auto', 'light', 'dark'] as const
export type Theme = (typeof ORDER)[number]

/** The chosen theme, where `auto` is the system's. `public/theme.js` reads the same entry. */
export function useTheme() {
  const { store } = useColorMode()
  const theme = computed(() => store.value as Theme)
  const next = () => {
    const at = ORDER.indexOf(theme.value)
    store.value = ORDER[(at + 1) % ORDER.length] ?? 'auto'
  }
  return { theme, next }
}
