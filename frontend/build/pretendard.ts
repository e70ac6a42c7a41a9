import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import type { Plugin } from 'vite'

const WEIGHT = '400'
const ID = 'virtual:pretendard.css'

/**
 * Offers `virtual:pretendard.css`: the dynamic subset of the font, and ships its licence. A browser fetches only the
 * subsets whose characters stand on the page.
 *
 * One weight: a page of Korean messages needs about 149 KB of it, and each further weight half as
 * much again. Browsers embolden it for headings and names.
 */
export function pretendard(): Plugin {
  const sheet = createRequire(import.meta.url).resolve(
    'pretendard/dist/web/static/pretendard-dynamic-subset.css',
  )
  return {
    name: 'madang:pretendard',
    resolveId: (id) => (id === ID ? `\0${ID}` : undefined),
    generateBundle() {
      const source = readFileSync(resolve(dirname(sheet), '../../LICENSE.txt'))
      this.emitFile({ type: 'asset', fileName: 'assets/pretendard-LICENSE.txt', source })
    },
    load: (id) => (id === `\0${ID}` ? faces(readFileSync(sheet, 'utf8'), dirname(sheet)) : undefined),
  }
}

function faces(css: string, folder: string): string {
  const blocks = css.match(/@font-face\s*{[^}]*}/g) ?? []
  return blocks
    .filter((block) => /font-weight:\s*(\d+)/.exec(block)?.[1] === WEIGHT)
    .map((block) => withLocalSource(block, folder))
    .join('\n')
}

function withLocalSource(block: string, folder: string): string {
  const file = /url\(['"]?([^)'"]+\.woff2)/.exec(block)?.[1]
  if (!file) throw new Error('A face of the font has no woff2 file.')
  return block.replace(/src:[^;]+;/, `src: url("${resolve(folder, file)}") format("woff2");`)
}
