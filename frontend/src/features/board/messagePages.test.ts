import { describe, expect, it } from 'vitest'
import { aMessage, aPage } from '@/testing'
import { applyToPage, tailOf } from './messagePages'

const ids = (page: { items: { id: number }[] }) => page.items.map(({ id }) => id)
const created = (id: number, username = 'someone') => ({
  type: 'created' as const,
  message: aMessage({ id, author: { username, display_name: username } }),
})

describe('a created message', () => {
  it('goes on top, is counted, and changes nothing the second time', () => {
    const once = applyToPage(aPage([2, 1], { total: 40 }), created(3), {})
    expect(ids(once)).toEqual([3, 2, 1])
    expect(once.total).toBe(41)
    expect(applyToPage(once, created(3), {})).toBe(once)
  })

  it('finds its place when it arrives late', () => {
    expect(ids(applyToPage(aPage([5, 3]), created(4), {}))).toEqual([5, 4, 3])
  })

  it('leaves a page alone whose cursor goes on above it', () => {
    const page = aPage([9, 8], { next_cursor: 'c' })
    expect(applyToPage(page, created(4), {})).toBe(page)
  })

  it('joins its author’s page, and no search and no older page', () => {
    const page = aPage([1])
    expect(ids(applyToPage(page, created(2, 'me'), { user: 'me' }))).toEqual([2, 1])
    expect(applyToPage(page, created(2, 'me'), { user: 'you' })).toBe(page)
    expect(applyToPage(page, created(2), { q: 'text' })).toBe(page)
    expect(applyToPage(page, created(2), { cursor: 'c' })).toBe(page)
  })

  it('does not move the place where older messages begin', () => {
    const page = aPage([9, 8], { next_cursor: 'below 8' })
    expect(tailOf(applyToPage(page, created(10), {}))).toBe(8)
  })
})

describe('an updated message', () => {
  it('replaces the older text wherever it is shown, never a newer one', () => {
    const first = aMessage({ id: 1, body: 'first', edited_at: '2026-01-01T00:00:01Z' })
    const second = aMessage({ id: 1, body: 'second', edited_at: '2026-01-01T00:00:02Z' })
    const page = applyToPage(aPage([1]), { type: 'updated', message: second }, { q: 'x' })
    expect(page.items[0]?.body).toBe('second')
    expect(applyToPage(page, { type: 'updated', message: first }, {}).items[0]?.body).toBe('second')
  })
})

describe('a deleted message', () => {
  it('leaves the page and its total', () => {
    const page = applyToPage(aPage([2, 1], { total: 30 }), { type: 'deleted', id: 2 }, {})
    expect(ids(page)).toEqual([1])
    expect(page.total).toBe(29)
  })

  it('out of sight is counted where all are, and not in a search', () => {
    const page = aPage([9], { total: 30, next_cursor: 'c' })
    expect(applyToPage(page, { type: 'deleted', id: 2 }, {}).total).toBe(29)
    expect(applyToPage(page, { type: 'deleted', id: 2 }, { q: 'x' }).total).toBe(30)
  })
})
