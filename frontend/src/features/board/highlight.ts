export interface Piece {
  text: string
  hit: boolean
}

/** Letters of scripts that are written without spaces, or found anywhere as Hangul is. */
const SYLLABIC = /[\p{Script=Hangul}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u
const LETTER = /[\p{L}\p{N}]/u

/**
 * Cuts a text into pieces that match a word of the search and pieces that do not, comparing as
 * the search does: NFKC, without letter case, Korean anywhere and other words from where a word
 * begins. The pieces joined are the text.
 */
export function highlight(text: string, search: string): Piece[] {
  const words = folded(search).split(/\s+/).filter(Boolean)
  if (words.length === 0) return [{ text, hit: false }]
  const { letters, origin } = foldedWithOrigin(text)
  const marked = new Array<boolean>(text.length).fill(false)
  for (const word of words) mark(letters, word, origin, marked)
  return pieces(text, marked)
}

const folded = (text: string) => text.normalize('NFKC').toLowerCase()

/** The folded text, and for each of its units where it stood, ending with the text's length. */
function foldedWithOrigin(text: string) {
  const origin: number[] = []
  let letters = ''
  let at = 0
  for (const letter of text) {
    const plain = folded(letter)
    letters += plain
    for (let unit = 0; unit < plain.length; unit += 1) origin.push(at)
    at += letter.length
  }
  origin.push(text.length)
  return { letters, origin }
}

function mark(letters: string, word: string, origin: number[], marked: boolean[]) {
  let from = letters.indexOf(word)
  while (from !== -1) {
    if (mayBegin(letters, word, from)) marked.fill(true, origin[from], origin[from + word.length])
    from = letters.indexOf(word, from + word.length)
  }
}

function mayBegin(letters: string, word: string, at: number): boolean {
  const isInsideWord = isWordLetter(word[0]) && isWordLetter(letters[at - 1])
  return !isInsideWord
}

function isWordLetter(letter: string | undefined): boolean {
  return letter !== undefined && LETTER.test(letter) && !SYLLABIC.test(letter)
}

function pieces(text: string, marked: boolean[]): Piece[] {
  const found: Piece[] = []
  let start = 0
  for (let at = 1; at <= text.length; at += 1) {
    if (at < text.length && marked[at] === marked[start]) continue
    found.push({ text: text.slice(start, at), hit: marked[start] ?? false })
    start = at
  }
  return found
}
