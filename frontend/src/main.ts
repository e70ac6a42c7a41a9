import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import ui from '@nuxt/ui/vue-plugin'
import { createApp } from 'vue'
import { Problem } from '@/api/problem'
import App from './App.vue'
import { i18n, preferredLocale, showLanguage } from './locales'
import { makeRouter } from './router'
import './styles/main.css'

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      refetchOnWindowFocus: false,
      staleTime: 30_000,
      retry: (failures, error) =>
        failures < 2 && error instanceof Problem && error.status >= 500,
    },
    mutations: { networkMode: 'always' },
  },
})

await showLanguage(preferredLocale())
createApp(App)
  .use(VueQueryPlugin, { queryClient })
  .use(makeRouter(queryClient))
  .use(i18n)
  .use(ui)
  .mount('#app')

// The text is there in the system's font at once; ours follows without holding it up.
void import('virtual:pretendard.css')
