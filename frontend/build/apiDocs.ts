import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Plugin } from 'vite'

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE', 'NOTICE']

/** Puts the files of the page at `/api/docs` into `dist/api-docs/`, beside our `init.js`. */
export function apiDocs(): Plugin {
  const require = createRequire(import.meta.url)
  return {
    name: 'madang:api-docs',
    apply: 'build',
    generateBundle() {
      for (const file of FILES) {
        const source = readFileSync(require.resolve(`swagger-ui-dist/${file}`))
        this.emitFile({ type: 'asset', fileName: `api-docs/${file}`, source })
      }
    },
  }
}
