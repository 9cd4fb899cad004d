"""Words that tell nothing of what a text speaks of, and sentences that speak of what another one names."""

from __future__ import annotations

import re
from itertools import takewhile

from jina_components.core.overlap import terms

# In English, German, French and Spanish; of a sentence's first words those that are none of its names.
_ASKS = """
    who whom whose what which when where why how much many
    wer wen wem wessen was welche welcher welches welchen wann wo woher wohin warum wie viel viele
    qui que quoi quel quelle quand où comment combien pourquoi quién qué cuál cuándo dónde cómo cuánto cuántos
"""
_REFERS = """
    he she it they his her its their him them this these those
    er sie es sein seine seiner ihr ihre ihrer dieser diese dieses
    il elle ils elles ce cette son sa ses leur él ella ellos ellas su sus este esta esto
"""
_BINDS = """
    a an the and or but nor so if as at by for from in into of on onto to with without within near during
    after before since until until while than then there here that is are was were be been being am do does did has
    have had can could may might must shall should will would not no also both each all some any such other another
    i we you our your my us me one two however although though because about between under over through
    more most less least mehr meist weniger plus moins más menos
    der die das den dem des ein eine einer eines einem einen und oder aber nicht auch nur so als am an auf aus bei
    bis durch für gegen im in mit nach ohne seit über um unter vom von vor während zu zum zur zwischen ist sind war
    waren wird werden wurde wurden hat haben hatte kann können muss müssen soll darf man wir ich du uns unser dort hier
    dann wenn weil dass obwohl
    le la les un une des du de et ou mais dans en sur pour par avec sans est sont était a ont nous vous je on au aux
    el los las una unos unas y o pero por para con sin del al es son era fue ha han se
"""
_FUNCTION = frozenset(" ".join((_ASKS, _REFERS, _BINDS)).split())
_REFERRING, _ASKING = frozenset(_REFERS.split()), frozenset(_ASKS.split())
# Subjects that may come after a word or three: "In 1995 she …".
_PERSONS = frozenset(["he", "she", "they", "il", "elle", "ils", "elles", "él", "ella", "ellos", "ellas"])
_OPENING = 4
# Characters between a sentence's end and the next one's first word, at most.
_NEAR = 9
_FUNCTION_TERMS = frozenset(terms(" ".join(_FUNCTION)))
_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_ENDED = re.compile(r"(?:^|[.!?…:。！？][\"'”’)\]]*\s|\n)[^\w\n]*$")


def content_terms(text: str) -> frozenset[str]:
    """The terms of a text but for function words, which are known of some languages."""
    return frozenset(terms(text)) - _FUNCTION_TERMS


def asks(text: str) -> bool:
    """Whether a text begins with a word that questions begin with."""
    first = _WORD.search(text)
    return first is not None and first[0].casefold() in _ASKING


def has_pronoun(text: str) -> bool:
    """Whether a text has a pronoun that may stand for what another text names."""
    return not _REFERRING.isdisjoint(_WORD.findall(text.casefold()))


def names(text: str) -> list[str]:
    """The words that are not written small, but for numbers and the function words that sentences begin with."""
    found = (word for word in _WORD.finditer(text) if not (word[0][0].islower() or word[0].isdigit()))
    return [
        word[0]
        for word in found
        if not (_is_function(word[0]) and _ENDED.search(text, max(word.start() - _NEAR, 0), word.start()))
    ]


def _is_function(word: str) -> bool:
    return word[0].lower() + word[1:] in _FUNCTION


def refers_back(sentence: str) -> bool:
    """Whether a sentence begins with a pronoun, and so speaks of what another sentence names."""
    first, *others = _WORD.findall(sentence)[:_OPENING] or [""]
    if first.casefold() in _REFERRING:
        return True
    before = takewhile(lambda word: not word[0].isupper(), others)
    return bool(first) and _is_function(first) and not _PERSONS.isdisjoint(before)
