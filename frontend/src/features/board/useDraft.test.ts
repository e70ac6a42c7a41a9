import { effectScope, nextTick } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { useDraft } from './useDraft'

function inScope() {
  const scope = effectScope()
  const draft = scope.run(() => useDraft('someone'))!
  return { ...draft, leave: () => scope.stop() }
}

describe('useDraft', () => {
  beforeEach(() => {
    localStorage.clear()
    vi.useFakeTimers()
  })
  afterEach(() => vi.useRealTimers())

  it('is there again after a reload', async () => {
    const before = inScope()
    before.text.value = '쓰던 글'
    await nextTick()
    vi.advanceTimersByTime(200)
    expect(inScope().text.value).toBe('쓰던 글')
  })

  it('is kept when the page goes before it was saved', () => {
    const before = inScope()
    before.text.value = 'unsaved'
    window.dispatchEvent(new Event('pagehide'))
    expect(inScope().text.value).toBe('unsaved')
  })

  it('is forgotten once posted', () => {
    const draft = inScope()
    draft.text.value = 'sent'
    draft.posted('sent')
    expect(draft.text.value).toBe('')
    expect(inScope().text.value).toBe('')
  })

  it('keeps what was typed while the post was on its way', () => {
    const draft = inScope()
    draft.text.value = 'sent and more'
    draft.posted('sent')
    expect(draft.text.value).toBe('sent and more')
    draft.leave()
    expect(inScope().text.value).toBe('sent and more')
  })

  it('works without storage', () => {
    const refuse = () => {
      throw new DOMException('refused', 'SecurityError')
    }
    const storage = { getItem: refuse, setItem: refuse, removeItem: refuse } as unknown as Storage
    const scope = effectScope()
    const draft = scope.run(() => useDraft('someone', storage))!
    draft.text.value = 'still here'
    scope.stop()
    expect(draft.text.value).toBe('still here')
  })
})
