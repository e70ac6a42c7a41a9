"""The search index's language: what of a text is indexed, and how a query asks for it. Pure.

Runs of Hangul, Han and kana become overlapping pairs of characters (`u` and the pair's code points
in hexadecimal) and a final single character; other words stay whole behind the prefix `ww`. All
terms are ASCII of at least three and at most eighty bytes, so no server's minimum length, maximum
or character folding touches them; the same idea as Lucene's CJKAnalyzer and MediaWiki's search.
The index may answer with more than was asked for, never with less: `Query.matches` decides.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST_TERM = 80
MOST_TERMS_ASKED = 32

_SYLLABIC = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005\u3007\u3041-\u30ff\u3105-\u312f\u3131-\u318e\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W_{_SYLLABIC}]"
_RUN = re.compile(rf"(?P<syllabic>[{_SYLLABIC}]+)|(?P<word>{_LETTER}+)")
_JAMO = re.compile("([\u3131-\u318e\uffa0-\uffdc])")
_HALFWIDTH_JAMO = {
    code: int(decomposition.split()[1], 16)
    for code in range(0xFFA0, 0xFFDD)
    if (decomposition := unicodedata.decomposition(chr(code)))
}

_WORD = "ww"
_WORD_W = "www0"
"""The word "w" alone: `www` is a stopword of InnoDB."""


def normalize(text: str) -> str:
    """NFKC and case folding, but that single jamo stay single.

    NFKC would make one syllable of the laughing ㅋ and the weeping ㅠ in ㅋㅠ, and neither could be
    found any more.
    """
    parts = _JAMO.split(text)
    kept = [part.translate(_HALFWIDTH_JAMO) for part in parts[1::2]]
    parts[::2] = [unicodedata.normalize("NFKC", part).casefold() for part in parts[::2]]
    parts[1::2] = kept
    return "".join(parts)


def encode_terms(text: str) -> str:
    """All terms of a text, each once, separated by spaces."""
    return " ".join(dict.fromkeys(_text_terms(normalize(text))))


@dataclass(frozen=True, slots=True)
class Term:
    """A term that a hit must hold, or with `prefix` a beginning of one."""

    text: str
    prefix: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for: all pieces between spaces, each as it stands.

    A piece that begins with a word must begin where a word begins; Korean is found anywhere.
    A query of signs alone has no terms, and only a scan can answer it.
    """

    pieces: tuple[str, ...]
    terms: tuple[Term, ...]
    _patterns: tuple[re.Pattern[str], ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Read what was typed."""
        pieces = normalize(text).split()
        terms = dict.fromkeys(term for piece in pieces for term in _piece_terms(piece))
        asked = tuple(terms)[:MOST_TERMS_ASKED]
        return cls(tuple(pieces), asked, tuple(map(_pattern, pieces)))

    def matches(self, body: str) -> bool:
        """Whether the text itself holds every piece."""
        text = normalize(body)
        return all(pattern.search(text) for pattern in self._patterns)

    def for_mariadb(self) -> str:
        """For `MATCH … AGAINST (… IN BOOLEAN MODE)`."""
        return " ".join(f"+{term.text}{'*' * term.prefix}" for term in self.terms)

    def for_fts5(self) -> str:
        """For `MATCH` of SQLite's FTS5."""
        return " AND ".join(f'"{term.text}"{"*" * term.prefix}' for term in self.terms)

    def for_like(self) -> list[str]:
        """For `LIKE` on the column of terms, all of them."""
        return [f"%{term.text}%" for term in self.terms]


def _text_terms(text: str) -> Iterator[str]:
    for run in _RUN.finditer(text):
        if run["syllabic"]:
            yield from _pairs(run["syllabic"])
            yield _syllable(run["syllabic"][-1])
        else:
            yield _whole_word(run["word"])


def _piece_terms(piece: str) -> Iterator[Term]:
    for run in _RUN.finditer(piece):
        syllabic = run["syllabic"]
        if not syllabic:
            yield _asked_word(run["word"], is_last=run.end() == len(piece))
        elif len(syllabic) == 1:
            yield Term(_syllable(syllabic), prefix=True)
        else:
            yield from (Term(pair, prefix=False) for pair in _pairs(syllabic))


def _asked_word(word: str, *, is_last: bool) -> Term:
    if not is_last:
        return Term(_whole_word(word), prefix=False)
    return Term(_word(word), prefix=True)


def _pairs(run: str) -> Iterator[str]:
    for first, second in itertools.pairwise(run):
        yield f"u{ord(first):04x}{ord(second):04x}"


def _syllable(character: str) -> str:
    return f"u{ord(character):04x}"


def _whole_word(word: str) -> str:
    return _WORD_W if word == "w" else _word(word)


def _word(word: str) -> str:
    """Letters beyond ASCII stand as `x` and their code point: a prefix stays a prefix."""
    ascii_word = word
    if not word.isascii():
        ascii_word = "".join(c if c.isascii() else f"x{ord(c):x}" for c in word)
    return (_WORD + ascii_word)[:LONGEST_TERM]


def _pattern(piece: str) -> re.Pattern[str]:
    boundary = rf"(?<!{_LETTER})" if re.match(_LETTER, piece) else ""
    return re.compile(boundary + re.escape(piece))
