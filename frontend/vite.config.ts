import { fileURLToPath } from 'node:url'
import vueI18n from '@intlify/unplugin-vue-i18n/vite'
import ui from '@nuxt/ui/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { apiDocs } from './build/apiDocs.ts'
import { pretendard } from './build/pretendard.ts'

const source = fileURLToPath(new URL('./src', import.meta.url))

export default defineConfig({
  resolve: { alias: { '@': source } },
  plugins: [
    vue(),
    ui({
      components: false,
      autoImport: false,
      colorMode: true,
      // Every icon is in the bundle; nothing asks an icon service at run time.
      icon: { clientBundle: { scan: true } },
      experimental: { componentDetection: true },
      ui: {
        colors: { primary: 'jade', neutral: 'zinc', error: 'red' },
        // The theme's own hover is too pale for the text on it.
        button: {
          compoundVariants: [
            { color: 'primary', variant: 'solid', class: 'hover:bg-primary/90 active:bg-primary/90' },
            { color: 'error', variant: 'solid', class: 'hover:bg-error/90 active:bg-error/90' },
          ],
        },
      },
      theme: { transitions: false },
    }),
    // Messages become functions at build time, so the page needs no eval.
    vueI18n({
      include: `${source}/locales/*.json`,
      runtimeOnly: true,
      compositionOnly: true,
      fullInstall: false,
      dropMessageCompiler: true,
      strictMessage: false,
    }),
    pretendard(),
    apiDocs(),
  ],
  build: {
    target: 'es2022',
    manifest: true,
    license: { fileName: 'licenses.md' },
    // A data: address would need an exception in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
  // By itself it leaves one core free, which on two is half of them.
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'], maxWorkers: '100%' },
})
