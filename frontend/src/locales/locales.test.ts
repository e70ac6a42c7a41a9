import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { preferredLocale } from './index'

const sources = import.meta.glob<string>(['../**/*.{ts,vue}', '!../**/*.test.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
})
const code = Object.values(sources).join('\n')

const flat = (tree: object, prefix = ''): Map<string, string> =>
  new Map(
    Object.entries(tree).flatMap(([name, value]) =>
      typeof value === 'string' ? [[prefix + name, value]] : [...flat(value, `${prefix}${name}.`)],
    ),
  )
/** As they are written: an import would give what they are compiled to. */
const read = (locale: string): Map<string, string> =>
  flat(JSON.parse(readFileSync(resolve('src/locales', `${locale}.json`), 'utf8')))
const korean = read('ko')
const english = read('en')

/** `t('a.b')`, and any literal that names a key: some stand in tables. */
const literals = new Set([...code.matchAll(/['"]([a-z_]+(?:\.[a-z_0-9]+)*)['"]/g)].map((match) => match[1]))
/** `t(`problem.${code}`)` uses every key below `problem.`. */
const stems = [...code.matchAll(/`([a-z_]+\.(?:[a-z_]+_)?)\$\{/g)].map((match) => match[1] ?? '')
const called = [...code.matchAll(/\bte?\(\s*'([^']+)'/g)].map((match) => match[1] ?? '')
const slots = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()

describe('the languages', () => {
  it('have the same keys', () => {
    expect([...english.keys()].sort()).toEqual([...korean.keys()].sort())
  })

  it('have no key that nothing uses', () => {
    const isUsed = (key: string) => literals.has(key) || stems.some((stem) => key.startsWith(stem))
    expect([...korean.keys()].filter((key) => !isUsed(key))).toEqual([])
  })

  it('have every key that is used', () => {
    expect(called.length).toBeGreaterThan(50)
    expect(called.filter((key) => !korean.has(key))).toEqual([])
    expect(stems.filter((stem) => ![...korean.keys()].some((key) => key.startsWith(stem)))).toEqual([])
  })

  it('fill the same slots, and leave none empty', () => {
    for (const [key, text] of korean) {
      expect(text.trim(), key).not.toBe('')
      expect(slots(english.get(key) ?? ''), key).toEqual(slots(text))
    }
  })
})

describe('preferredLocale', () => {
  it.each([
    [null, ['en-GB', 'ko'], 'en'],
    [null, ['fr-FR', 'ko-KR'], 'ko'],
    [null, ['fr-FR'], 'ko'],
    ['en', ['ko-KR'], 'en'],
    ['xx', ['en-US'], 'en'],
  ])('from stored %s and browser %j is %s', (stored, spoken, expected) => {
    expect(preferredLocale(stored, spoken)).toBe(expected)
  })
})
