import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { defineComponent, h } from 'vue'
import { createI18n } from 'vue-i18n'
import { Problem } from '@/api/problem'
import { useProblemText } from './useProblemText'

describe('useProblemText', () => {
  const messages = {
    en: { problem: { not_found: 'Gone.', unknown: 'Unknown.' }, field: { username: 'Two letters or more.' } },
  }
  const i18n = createI18n({ legacy: false, locale: 'en', messages, missingWarn: false })
  let speech!: ReturnType<typeof useProblemText>
  const Page = defineComponent(() => {
    speech = useProblemText()
    return () => h('div')
  })
  mount(Page, { global: { plugins: [i18n] } })
  const { text, field } = speech

  it('prefers our words, then the server’s, then says it does not know', () => {
    expect(text(new Problem('not_found', 404, 'No such thing.'))).toBe('Gone.')
    expect(text(new Problem('teapot', 418, 'I am a teapot.'))).toBe('I am a teapot.')
    expect(text(new Problem('teapot', 418))).toBe('Unknown.')
  })

  it('speaks about a field only when the problem does', () => {
    const errors = [{ field: 'username', message: 'short' }, { field: 'other', message: 'bad' }]
    const problem = new Problem('validation_failed', 422, '', errors)
    expect(field(problem, 'username')).toBe('Two letters or more.')
    expect(field(problem, 'other')).toBe('bad')
    expect(field(problem, 'password')).toBeUndefined()
    expect(field(null, 'username')).toBeUndefined()
  })
})
