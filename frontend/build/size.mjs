// Fails when the board's first load is more than the design allows: the entry, the board, the
// larger language and all they import, gzipped as a server would send them.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const LIMIT_KB = 220
const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))

const withImports = (key, seen = new Set()) => {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const imported of manifest[key].imports ?? []) withImports(imported, seen)
  return seen
}
const keyOf = (source) => {
  const key = Object.keys(manifest).find((name) => manifest[name].src === source)
  if (!key) throw new Error(`${source} is not in the build's manifest.`)
  return key
}
const kb = (file) => gzipSync(readFileSync(new URL(file, dist))).length / 1000
const total = (files) => files.reduce((sum, file) => sum + kb(file), 0)

const chunks = new Set()
for (const source of ['index.html', 'src/features/board/BoardPage.vue']) withImports(keyOf(source), chunks)
const scripts = [...chunks].map((key) => manifest[key].file).filter((file) => file.endsWith('.js'))
const languages = ['ko', 'en'].map((locale) => kb(manifest[keyOf(`src/locales/${locale}.json`)].file))
const size = total(scripts) + Math.max(...languages)

console.log(`The board's first load: ${size.toFixed(1)} KB of gzipped JavaScript (limit ${LIMIT_KB}).`)
if (size > LIMIT_KB) process.exit(1)
