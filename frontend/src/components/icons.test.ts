import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const sources = import.meta.glob<string>('../**/*.{ts,vue}', { query: '?raw', import: 'default', eager: true })
const named = Object.values(sources).flatMap((source) => [...source.matchAll(/\bi-lucide-([a-z0-9-]+)/g)].map((match) => match[1] ?? ''))
const set = JSON.parse(readFileSync('node_modules/@iconify-json/lucide/icons.json', 'utf8'))

it('names only icons that can be bundled, so that none is fetched', () => {
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((name) => !set.icons[name] && !set.aliases?.[name])).toEqual([])
})
