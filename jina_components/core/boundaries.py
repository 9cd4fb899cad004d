"""Where running text may be cut: sentences, lines, clauses, words, and last of all graphemes.

Each finder yields, in ascending order, the places `p` with `low < p <= high` at which a next piece may begin;
white space stays with the piece before. All take linear time: no pattern begins anew inside a run on which
it has failed. Sentences and graphemes follow Unicode Standard Annex #29, with abbreviations on top.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import TypeAlias

Finder: TypeAlias = Callable[[str, int, int], Iterator[int]]

# Marks of notes behind a sentence: [1], [^note], also as links.
_NOTE = r"(?:\[\[?\\?\[?\^?[\w-]{1,32}\\?\]?\]?\](?:\([^()\s]{0,400}\))?)*+"
_CLOSERS = r"""["'”’“‘»«›‹)\]}*_~`]*+"""
# Stops that have no other meaning, most of them without a space behind.
_SURE = "。！？｡‼⁇⁈⁉։؟۔।॥།༎။።፧፨។៕᠃᠉꓿꘎᭞᭟꧉෴\u037e"
_SENTENCE = re.compile(
    rf"[.!?…{_SURE}]"
    # What closes a quote in one language opens it in another: “ in German, « in Danish.
    rf"(?:(?<=[.!?…])(?<![.!?…].)(?P<rest>[.!?…]*+){_CLOSERS}(?:[ \u00a0\u202f]»(?=\s))?+{_NOTE}\s++"
    rf"|(?<=[{_SURE}])[{_SURE}]*+(?P<closers>[\"'”’»›)\]}}*_~`」』】》〉）］｝]*+{_NOTE})\s*+)"
)
_LOOSE = re.compile(rf"[.!?…](?<=[^\W\d_]{{3}}.)[.!?…]*+{_CLOSERS}\s++(?=[^\W\d_])")
_GAP = re.compile(r"\n[ \t\r]*+\n")
_RECORD = re.compile(
    r"[}\]\\<](?:(?<=[}\]]),\s*+(?=[{\[])|(?<=\\)n(?:\\n)++"
    r"|(?<=<)(?:/(?i:p|li|tr|div|h[1-6]|section)|(?i:br)[ ]?/?)>\s*+)"
)
_CLAUSE = re.compile(
    r"""[,;:—–)\]”»、，；：،؛၊・៖…](?:(?<=[,;:—–)\]”»])["'*_`]*+\s++|(?<=[、，；：،؛၊・៖])\s*+|(?<=[…—])(?<=[…—]{2})\s*+)"""
)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(
    r"\s++"
    rf"|(?<=[{_HAN}\u3001-\u3003\u3040-\u30ff])(?=[{_HAN}])"
    r"|(?<=[\u3040-\u309f])(?=[\u30a1-\u30fa])"  # from hiragana to katakana
    # Scripts without spaces between words: before a vowel that is written first, behind the mark of a syllable.
    r"|(?<=[\u0e01-\u0e3a\u0e45-\u0e4e])(?=[\u0e40-\u0e44])|(?<=[\u0e81-\u0eba\u0ec6-\u0ecd])(?=[\u0ec0-\u0ec4])"
    r"|(?<=[\u0f0b\u1361\u200b])(?=\w)"
)
_PART = re.compile(r"[\W_](?=[^\W_])")
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))

# In lower case without the last stop. Single letters and dotted groups (U.S., z.B.) are told by their form.
_ABBREVIATIONS = frozenset(
    """
    mr mrs ms mx dr prof sr jr st mt ft gen col lt capt cmdr sgt cpl rev hon gov sen rep pres supt messrs
    mme mlle fig figs eq eqs sec secs ch chap vol vols ed eds pp para no nos nr op cit al cf viz vs ca approx
    est dept univ inc ltd co corp bros ave blvd rd hwy lit trans ref refs resp incl excl
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri
    abb bd bzw evtl geb ggf hrsg inkl sog str tel usw vgl zzgl allg bspw etwa
    env etc hab mgr num núm pág págs sra srta ud uds vd dra exmo sig sigg dott ing avv bijv blz mevr dhr
    př např tzv atd tj popř str čl odst nr tzn np itd tzw ul pkt godz wg dz zob
    örn vb vs yy sf bkz prof doç st tel şti bl kl ca dvs osv jf fx mfl bla
    mio mrd tsd mln mld
    г гг ул им руб коп см рис табл стр тыс млн млрд проф акад др
    """.split()  # noqa: SIM905 (so many are easier to read and sort as text)
)
# Of Thai and Lao: vowels written before their consonant; those in the midst of a syllable, which a consonant ends, and
# the tones that may stand between. (Thai character clusters, Theeramunkong et al. 2000.)
_LEADING_VOWELS = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")
_INNER_VOWELS = frozenset("\u0e31\u0e37\u0e47\u0eb1\u0ebb")
_TONES = frozenset("\u0e48\u0e49\u0e4a\u0e4b\u0ec8\u0ec9\u0eca\u0ecb")
# The virama joins two consonants.
_VIRAMA = 9
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd")
_DOTTED = re.compile(r"[^\W\d_]|(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,3}")
_LONGEST_ABBREVIATION = 24
# Names with a mark of exclamation, of which others begin: Shout! Factory, Yum! Brands.
_EXCLAIMED = frozenset(("E", "Jeopardy", "Shout", "Wham", "Yahoo", "Yum"))
_STOPS = frozenset(".!?…,;)")


def sentences(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of sentences. In doubt there is none: a false one costs more than a missed one."""
    for match in _SENTENCE.finditer(text, low, high):
        if _ends_sentence(text, match):
            yield match.end()


def loose_sentences(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of what may be sentences though they begin with a small letter, as in careless writing."""
    for match in _LOOSE.finditer(text, low, high):
        if not _is_abbreviated(text, match.start()):
            yield match.end()


def records(text: str, low: int, high: int) -> Iterator[int]:
    """Places between elements of data that are written in one line: objects of JSON, its escaped empty lines, HTML."""
    return (match.end() for match in _RECORD.finditer(text, low, high))


def lines(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of lines."""
    position = text.find("\n", low, high) + 1
    while position:
        yield position
        position = text.find("\n", position, high) + 1


def gaps(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of lines behind an empty line."""
    return (match.end() for match in _GAP.finditer(text, low, high))


def clauses(text: str, low: int, high: int) -> Iterator[int]:
    """Places behind commas, colons, dashes and closing brackets."""
    return (match.end() for match in _CLAUSE.finditer(text, low, high))


def words(text: str, low: int, high: int) -> Iterator[int]:
    """Beginnings of words; in Chinese and Japanese, most places where a line may be broken."""
    return (match.end() for match in _WORD.finditer(text, low, high) if match.end() > low)


def parts(text: str, low: int, high: int) -> Iterator[int]:
    """Places behind punctuation inside words: of paths, URLs, identifiers, minified code."""
    return (match.end() for match in _PART.finditer(text, low, high))


def last_grapheme(text: str, low: int, high: int) -> int:
    """The last place in `(low, high]` that parts no user-perceived character; `high` where there is none."""
    position = high
    while position > low and joins(text, low, position):
        position -= 1
    return position if position > low else high


def joins(text: str, low: int, position: int) -> bool:
    """Whether a cut at `position` parts a user-perceived character that begins at or after `low`.

    Syllables of Indic scripts, Khmer and Burmese count as one, and so do vowels of Thai and Lao with the consonant
    that must follow them.
    """
    if position >= len(text):
        return False
    before, after = text[position - 1], text[position]
    if after < "\u0300" or before in "\r\n":
        return before == "\r" and after == "\n"
    if before == "\u200d" or after in "\u200d\uff9e\uff9f\u0e33\u0eb3" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if after in _FLAG_LETTERS:  # two of them make a flag
        return _run_of_flag_letters(text, low, position) % 2 == 1
    if "\u1160" <= after <= "\u11ff":  # vowels and finals of Hangul
        return "\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3"
    if "\udc00" <= after <= "\udfff":
        return "\ud800" <= before <= "\udbff"
    return (
        unicodedata.category(after)[0] == "M"
        or "\U000e0020" <= after <= "\U000e007f"
        or (_joins_next(text[position - 2] if before in _TONES and position - low > 1 else before) and after.isalpha())
    )


def _joins_next(character: str) -> bool:
    return (
        character in _LEADING_VOWELS
        or character in _INNER_VOWELS
        or character in _PREPENDED
        or unicodedata.combining(character) == _VIRAMA
    )  # which come before a letter


def _run_of_flag_letters(text: str, low: int, position: int) -> int:
    start = position
    while start > low and text[start - 1] in _FLAG_LETTERS:
        start -= 1
    return position - start


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    start, following = match.start(), text[match.end() : match.end() + 1]
    if match["rest"] is None:  # not in 「はい。」と言った
        return not (match["closers"] and following.isalnum() and match.end() == match.end("closers"))
    if following in _STOPS:  # . . .
        return False
    # Tokens parted by spaces, often all in small letters; but not the end of . . .
    if text[max(start - 1, 0)].isspace() and text[max(start - 2, 0)] not in _STOPS:
        return True
    if following.islower():
        return False
    if text[start] == "!" and _word_before(text, start) in _EXCLAIMED:
        return bool(match["rest"])
    return text[start] != "." or bool(match["rest"]) or not _is_abbreviated(text, start)


def _is_abbreviated(text: str, stop: int) -> bool:
    return _is_abbreviation(_word_before(text, stop).lower())


def _word_before(text: str, stop: int) -> str:
    before = text[max(stop - _LONGEST_ABBREVIATION, 0) : stop].split()
    return before[-1].lstrip("([{\"'“‘«*_") if before else ""


def _is_abbreviation(word: str) -> bool:
    """Also initials, ordinals and the numbers of list items, whose stops tell as little."""
    is_short_number = word.isdigit() and len(word) <= 2
    return is_short_number or word in _ABBREVIATIONS or bool(_DOTTED.fullmatch(word))
