"""Languages that the rules know, as rows; which one a text is in."""

from __future__ import annotations

import re

from jina_components.fine_tuner.questions.languages.chinese import CHINESE
from jina_components.fine_tuner.questions.languages.dutch import DUTCH
from jina_components.fine_tuner.questions.languages.english import ENGLISH
from jina_components.fine_tuner.questions.languages.french import FRENCH
from jina_components.fine_tuner.questions.languages.german import GERMAN
from jina_components.fine_tuner.questions.languages.italian import ITALIAN
from jina_components.fine_tuner.questions.languages.japanese import JAPANESE
from jina_components.fine_tuner.questions.languages.portuguese import PORTUGUESE
from jina_components.fine_tuner.questions.languages.row import Language
from jina_components.fine_tuner.questions.languages.russian import RUSSIAN
from jina_components.fine_tuner.questions.languages.spanish import SPANISH

LANGUAGES = {
    row.code: row for row in (ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, PORTUGUESE, DUTCH, RUSSIAN, CHINESE, JAPANESE)
}
DETERMINERS = frozenset[str]().union(*(row.determiners for row in LANGUAGES.values()))

# Of a text, so much tells its language; so much of it must be the language's script, or its stop words.
_TELLING, _SHARE, _STOP_SHARE = 2000, 0.3, 0.08
_KANA = re.compile(r"[\u3041-\u30fa]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_WORD = re.compile(r"[^\W\d_]+")
_KANA_SHARE = 0.1


def language_of(text: str) -> str:
    """The language of a text by its script and its stop words (ISO 639-1); empty where the table has none like it."""
    text = text[:_TELLING].lower()
    letters = sum(map(str.isalpha, text)) or 1
    if len(_KANA.findall(text)) >= _KANA_SHARE * letters:
        return "ja"
    if len(_HAN.findall(text)) >= _SHARE * letters:
        return "zh"
    words = _WORD.findall(text)
    counts = {code: sum(word in row.stop_words for word in words) for code, row in LANGUAGES.items()}
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] >= max(_STOP_SHARE * len(words), 1) else ""


__all__ = ["DETERMINERS", "LANGUAGES", "Language", "language_of"]
