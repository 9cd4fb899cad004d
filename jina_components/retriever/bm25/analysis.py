"""Terms of a text: what BM25 counts."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from jina_components.core.names import resolve_name
from jina_components.errors import MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes: TypeAlias = NDArray[np.uint32]
    Kinds: TypeAlias = NDArray[np.uint8]

# What a character does to the words around it. Up to _WORD nothing but a split at white space is needed.
_SEPARATOR, _WORD, _UNSPACED, _MARK, _IGNORED, _ASTRAL = range(6)
_UNSPACED_RANGES = (
    (0x3005, 0x3007), (0x3031, 0x3035), (0x3040, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3134F),  # Japanese and Chinese
    (0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF),  # Korean
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF),  # Thai and Lao, Burmese, Khmer
)  # fmt: skip
# Accents, vowel points of Hebrew and Arabic and Arabic's filler, which many writers leave out; variation selectors.
_IGNORED_RANGES = (
    (0x0300, 0x036F), (0x0591, 0x05C7), (0x0610, 0x061A), (0x0640, 0x0640), (0x064B, 0x065F), (0x0670, 0x0670),
    (0x06D6, 0x06DC), (0x06DF, 0x06E8), (0x06EA, 0x06ED), (0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF),
)  # fmt: skip
_ZERO_WIDTH_SPACE = 0x200B
# Letters whose accent Unicode does not tell apart from them.
_BARRED = dict(zip("øłđħŧı", "oldhti", strict=True))
# Other languages' stemmers look at accents.
_STEMMED_WITHOUT_ACCENTS = ("english", "porter")
_END_OF_GREEK = 0x0400
_MOST_STEMS = 1 << 18
_END_OF_LATIN = 0x2000  # and of the Greek letters with two accents
_SPACE = 0x20
# For a quick look whether a lower-case letter is followed by an upper-case one.
_CASES = bytes.maketrans(bytes(range(65, 91)) + bytes(range(97, 123)), b"A" * 26 + b"a" * 26)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_CAMEL_CASE = re.compile(r"(?<![A-Za-z\d])[A-Z\d]*+[a-z\d]++[A-Z][A-Za-z\d]*+")
_HUMPS = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_COMPLICATED = b"\x00"
# Unicode's Stream-Safe Text Format (UAX 15): more marks in a row than this mean nothing in any language.
_MARKS_IN_A_ROW = 30
# Shorter texts are normalized fast enough whatever they hold.
_SHORT = 1000


@dataclass(frozen=True, slots=True)
class Analyzer:
    """How a text becomes terms; equal analyzers give equal terms.

    Texts are compared in Unicode's form NFKC, case-folded, without accents on Latin and Greek letters and without
    vowel points. A term is a run of letters, digits and their marks. An underscore separates, and a name in camelCase
    counts as a whole and as its parts. Scripts without spaces between words, and Korean, whose words carry their
    particles with them, are indexed as overlapping pairs of characters (as Lucene's CJKBigramFilter does), and Chinese
    characters alone too (Nie et al. 2000). Characters that show nothing, as the soft hyphen, count for nothing. No word
    is left out.

    Args:
        stemming: A language that Snowball has a stemmer for, as `english`: its words are reduced to their stems.

    Raises:
        UnknownNameError: no stemmer for this language.
        MissingDependencyError: stemming without PyStemmer.
    """

    stemming: str | None = None

    def __post_init__(self) -> None:
        if self.stemming is not None:
            _STEMMERS.stems(self.stemming, [])

    def terms(self, text: str) -> list[str]:
        """Terms in the order of the text, in time linear in its length; none for a text without words."""
        if b"aA" in text.encode("utf-8", "surrogatepass").translate(_CASES):
            text = _CAMEL_CASE.sub(_whole_and_parts, text)
        if self.stemming is None:
            return _bare_words(text)
        if self.stemming in _STEMMED_WITHOUT_ACCENTS or text.isascii():
            return _STEMMERS.stems(self.stemming, _bare_words(text))
        stems = " ".join(_STEMMERS.stems(self.stemming, _words(text, fold=False)))
        return _folded(_codes(stems)).tobytes().decode("utf-32-le").split()


def _whole_and_parts(name: re.Match[str]) -> str:
    return " ".join((name.group(), *_HUMPS.split(name.group())))


class _Stems(dict[str, str]):
    """Stems of words; Snowball takes longer over a word than a look-up does."""

    def __init__(self, language: str) -> None:
        super().__init__()
        try:
            import Stemmer
        except ImportError as error:
            raise MissingDependencyError("Stemming needs PyStemmer: pip install 'jina-components[stem]'.") from error
        resolve_name(dict.fromkeys(Stemmer.algorithms()), language, what="stemming language")
        self._stem = Stemmer.Stemmer(language, 0).stemWord

    def __missing__(self, word: str) -> str:
        if len(self) >= _MOST_STEMS:
            self.clear()
        stem: str = self._stem(word)
        self[word] = stem
        return stem


class _Stemmers(threading.local):
    """Stems by language, which threads must not share since Snowball's stemmers have a state."""

    def __init__(self) -> None:
        self._made: dict[str, _Stems] = {}

    def stems(self, language: str, words: list[str]) -> list[str]:
        if language not in self._made:
            self._made[language] = _Stems(language)
        return list(map(self._made[language].__getitem__, words))


_STEMMERS = _Stemmers()


def _bare_words(text: str) -> list[str]:
    words = _western_words(text)
    return _words(text, fold=True) if words is None else words


def _western_words(text: str) -> list[str] | None:
    """What `_words` gives, several times as fast; None for a text that is beyond it."""
    try:
        plain = text.encode("ascii" if text.isascii() else "cp1252").translate(_western_letters())
    except UnicodeEncodeError:
        return None
    return None if _COMPLICATED in plain else plain.decode("ascii").split()


@cache
def _western_letters() -> bytes:
    """By character of Windows' code page for western Europe the letter that it counts as, or a space."""
    chars = (bytes([code]).decode("cp1252", "replace") for code in range(256))
    return b"".join(map(_western_letter, chars))


def _western_letter(char: str) -> bytes:
    words = _words(char, fold=True)
    if not words:
        return b" " if _kind(ord(char)) == _SEPARATOR else _COMPLICATED
    is_letter = len(words) == len(words[0]) == 1 and words[0].isascii()
    return words[0].encode() if is_letter else _COMPLICATED


def _words(text: str, *, fold: bool) -> list[str]:
    codes = _codes(unicodedata.normalize("NFKC", _without_long_runs_of_marks(text)).casefold())
    if fold:
        codes = _folded(codes)
    kinds = _kinds(codes)
    if kinds.max(initial=0) <= _WORD:
        return _split(codes, kinds)
    codes, kinds = _resolved(codes, kinds)
    if not (kinds == _UNSPACED).any():
        return _split(codes, kinds)
    # Runs of both kinds are set apart, so that each word is of one kind.
    meetings = np.flatnonzero((kinds[1:] != kinds[:-1]) & (kinds[1:] != _SEPARATOR) & (kinds[:-1] != _SEPARATOR)) + 1
    words = _split(np.insert(codes, meetings, _SPACE), np.insert(kinds, meetings, _SEPARATOR))
    return list(_with_bigrams(words))


def _with_bigrams(words: list[str]) -> Iterator[str]:
    for word in words:
        if len(word) > 1 and _is_within(ord(word[0]), _UNSPACED_RANGES):
            yield from map(str.__add__, word, word[1:])
            yield from _HAN.findall(word)
        else:
            yield word


def _codes(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _folded(codes: Codes) -> Codes:
    bare = _bare_letters()
    return np.where(codes < len(bare), bare.take(codes, mode="clip"), codes)


def _split(codes: Codes, kinds: Kinds) -> list[str]:
    return np.where(kinds, codes, np.uint32(_SPACE)).tobytes().decode("utf-32-le").split()


def _resolved(codes: Codes, kinds: Kinds) -> tuple[Codes, Kinds]:
    """Without ignored characters; a mark is of the kind of what it marks."""
    kept = kinds != _IGNORED
    codes, kinds = codes[kept], kinds[kept]
    places = np.arange(len(kinds))
    marked = np.maximum.accumulate(np.where(kinds == _MARK, 0, places))
    kinds = kinds[marked]
    kinds[kinds == _MARK] = _SEPARATOR  # a mark at the very start
    return codes, kinds


def _without_long_runs_of_marks(text: str) -> str:
    """The text as it is, nearly always: normalizing takes the square of the time for a run of marks."""
    if len(text) < _SHORT:
        return text
    codes = _codes(text)
    marks = _kinds(codes) >= _MARK
    places = np.arange(len(codes))
    run = places - np.maximum.accumulate(np.where(marks, -1, places))
    if run.max() <= _MARKS_IN_A_ROW:
        return text
    return codes[run <= _MARKS_IN_A_ROW].tobytes().decode("utf-32-le", "surrogatepass")


@cache
def _bare_letters() -> Codes:
    """By character, the letter without its accents; itself where it has none or is neither Latin nor Greek."""
    bare = np.array([ord(_bare(chr(code))) for code in range(_END_OF_LATIN)], np.uint32)
    bare.setflags(write=False)
    return bare


def _bare(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[0]
    return _BARRED.get(base, base) if ord(base) < _END_OF_GREEK else char


def _kinds(codes: Codes) -> Kinds:
    kinds = _kinds_of_bmp().take(codes, mode="clip")
    astral = np.flatnonzero(kinds == _ASTRAL)
    if len(astral):
        found, which = np.unique(codes[astral], return_inverse=True)
        kinds[astral] = np.array([_kind(int(code)) for code in found], np.uint8)[which]
    return kinds


@cache
def _kinds_of_bmp() -> Kinds:
    """The kind of every character of the Basic Multilingual Plane, its last standing for all beyond."""
    kinds = np.fromiter(map(_kind, range(0x10000)), np.uint8, 0x10000)
    kinds[-1] = _ASTRAL
    kinds.setflags(write=False)
    return kinds


def _kind(code: int) -> int:
    category = unicodedata.category(chr(code))
    if _is_within(code, _IGNORED_RANGES) or category == "Me" or (category == "Cf" and code != _ZERO_WIDTH_SPACE):
        return _IGNORED
    if category in ("Mn", "Mc"):
        return _MARK
    if category[0] not in "LN":
        return _SEPARATOR
    return _UNSPACED if _is_within(code, _UNSPACED_RANGES) else _WORD


def _is_within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)
