import { expect, it } from 'vitest'
import { highlight } from './highlight'

const marked = (text: string, search: string) =>
  highlight(text, search)
    .map((piece) => (piece.hit ? `[${piece.text}]` : piece.text))
    .join('')

it.each([
  ['마당에서 만나요', '마당', '[마당]에서 만나요'],
  ['Rolling update, rolling on', 'ROLL', '[Roll]ing update, [roll]ing on'],
  ['호출 기록과 호출', '호출 기록', '[호출] [기록]과 [호출]'],
  ['ＡＢＣ wide', 'abc', '[ＡＢＣ] wide'],
  ['가 한글', '가', '[가] 한글'],
  ['👍 good', 'good', '👍 [good]'],
  ['nothing here', 'absent', 'nothing here'],
  ['a.b*c', '.b*', 'a[.b*]c'],
  ['category cat 고양이cat', 'cat', '[cat]egory [cat] 고양이[cat]'],
  ['concat', 'cat', 'concat'],
  ['text', '  ', 'text'],
])('%s searched for %s', (text, search, expected) => {
  expect(marked(text, search)).toBe(expected)
})

it('loses no character', () => {
  const text = 'ﬁne ﷺ 각 각\n\t끝'
  expect(highlight(text, 'fi 각').map((piece) => piece.text).join('')).toBe(text)
})
