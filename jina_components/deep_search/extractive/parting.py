"""Parting a question that compares, or several questions in one text, by rule."""

from __future__ import annotations

import re

from jina_components.deep_search.extractive.words import asks, has_pronoun

# In English, German, French, Spanish and Italian: or; and; words that tell that "and" joins what is compared.
_OR = "or|oder|ou|o"
_AND = "and|und|et|y|e"
_COMPARES = frozenset(
    ("both", "between", "common", "same", "share", "beide", "gemeinsam", "zwischen", "même", "entre", "común", "stesso")
)
_CAPITAL = r"[A-ZÀ-ÖØ-Þ0-9][\w'’.-]*"
_NAME = rf"(?:the )?{_CAPITAL}(?: (?:(?:of|the|de|del|du|von|van|der|la|le) )*{_CAPITAL})*"
_PAIR = re.compile(
    rf"(?:\b(?:[Bb]oth|[Bb]etween) )?(?<!\w)(?P<one>{_NAME}),? (?P<joint>{_OR}|{_AND}) (?P<other>{_NAME})"
)
_SENTENCE = re.compile(r"([^?？؟]+)([?？؟]*)")
_JOINT = re.compile(rf",\s*(?:(?:{_AND})\s+)?|\s+(?:{_AND})\s+")
# Words of a part at least, and parts of a sentence: two are joined by "and who …" in relative clauses too.
_MIN_WORDS, _MIN_LISTED = 3, 3
# Characters of a text that is parted; in a longer one, looking for names takes its time.
_LONGEST = 2_000


def part(question: str) -> list[str]:
    """Each of several questions; or the question for each of the two names that it compares; or nothing."""
    return several(question) or _compared(question)


def several(question: str) -> list[str]:
    """The questions in a text, in sentences or in a list, that can be asked alone; nothing where it is but one."""
    if len(question) > _LONGEST:
        return []
    found = _SENTENCE.findall(question)
    sentences = [f"{words}{mark}".strip() for words, mark in found if mark and re.search(r"\w", words)]
    parts = sentences if len(sentences) > 1 else _listed(question)
    return [] if any(has_pronoun(one) or len(one.split()) < _MIN_WORDS for one in parts) else parts


def _listed(question: str) -> list[str]:
    """Questions of one sentence: "How much …, how many … and who …?"."""
    joints = [found.span() for found in _JOINT.finditer(question) if asks(question[found.end() :])]
    if len(joints) + 1 < _MIN_LISTED or not asks(question):
        return []
    starts, ends = [0, *(end for _, end in joints)], [*(start for start, _ in joints), len(question)]
    return [f"{question[start:end].rstrip(' ?？')}?" for start, end in zip(starts, ends, strict=True)]


def _compared(question: str) -> list[str]:
    if len(question) > _LONGEST:
        return []
    compares = not _COMPARES.isdisjoint(re.findall(r"\w+", question.casefold()))
    for found in _PAIR.finditer(question):
        if found.start() > 0 and (compares or found["joint"] in _OR.split("|")):
            before, after = question[: found.start()], question[found.end() :]
            return [f"{before}{found[name]}{after}" for name in ("one", "other")]
    return []
