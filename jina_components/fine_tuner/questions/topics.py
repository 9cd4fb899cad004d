"""What a passage is about: its subject, or the words that it has more often than others do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from jina_components.fine_tuner.questions.corpus import WORD, Corpus, sentence_spans
from jina_components.fine_tuner.questions.languages import Language

_LONGEST, _MOST_CONTENT = 7, 6
_LONGEST_SUBJECT, _LONGEST_NAME, _LONGEST_TITLE = 9, 5, 25
_SITE = re.compile(r"\s+[|–—·:-]\s+[^|–—·:-]{1,40}$")


class Phrase(NamedTuple):
    """Words of a text that stand together.

    Attributes:
        text: The words as they are written where they come first.
        start: Where that is.
        score: How well they tell the text from the others.
    """

    text: str
    start: int
    score: float


def topic_of(text: str, *, title: str = "", language: Language, corpus: Corpus) -> str:
    """The name of what a passage speaks of, as it writes it; empty where nothing stands out."""
    known = title_topic(title, language) or (subject_of(text, language) if language.subject else "")
    return known or next((phrase.text for phrase in phrases(text, title, language=language, corpus=corpus)), "")


def title_topic(title: str, language: Language) -> str:
    """A title without what it only begins with, where it is short enough to be a name; else empty."""
    name = clean_title(title)
    lead_in = language.leading.match(name)
    name = name[lead_in.end() :] if lead_in and lead_in.end() < len(name) else name
    return name if len(WORD.findall(name)) <= _LONGEST_NAME else ""


def clean_title(title: str) -> str:
    """A title without the site's name behind it and without marks around it."""
    return " ".join(_SITE.sub("", title).strip(" .:;,#*").split())


def opening_title(text: str, language: Language) -> str:
    """The title that a text begins with: a first sentence without a verb, with another one behind it.

    It ends in a stop only in texts that are written in small letters throughout, as old abstracts are.
    """
    spans = sentence_spans(text)
    first, second = (span.of(text) if span else "" for span in (next(spans, None), next(spans, None)))
    if not second or first.endswith(("?", "!", "？", "。")) or (first.endswith(".") and first != first.lower()):
        return ""
    found = WORD.findall(first.lower())
    is_title = 2 <= len(found) <= _LONGEST_TITLE and bool(language.verbs) and language.verbs.isdisjoint(found)
    return clean_title(first) if is_title and found[0] not in language.pronouns else ""


def phrases(text: str, title: str = "", *, language: Language, corpus: Corpus) -> list[Phrase]:
    """Phrases of a text that tell it from others, the best first.

    They are ranked by frequency times idf (Salton & Buckley 1988), where being part of the title, or of the first
    sentence's subject, counts.
    """
    counted: Counter[str] = Counter()
    first: dict[str, tuple[str, int]] = {}
    for words in _grams(text, language, corpus):
        start, end = words[0].start(), words[-1].end()
        key = text[start:end].lower()
        counted[key] += 1
        first.setdefault(key, (text[start:end], start))
    heading, subject = title.lower(), subject_of(text, language).lower()
    first_sentence = next((span.of(text) for span in sentence_spans(text)), "")
    opening = len(first_sentence)
    if first_sentence.endswith(("?", "？")):
        heading += first_sentence.lower()

    def score(key: str) -> float:
        content = [word for word in WORD.findall(key) if word not in language.stop_words]
        place = 2.0 * (key in subject) + 0.7 * (first[key][1] < opening) + 2.0 * (key in heading)
        # Two names that "of" joins are seldom one.
        return counted[key] ** 0.6 * sum(map(corpus.idf, content)) * (1 + place) * (1 if " of " not in key else 0.8)

    ranked = sorted(((score(key), key) for key in counted), key=lambda pair: (-pair[0], pair[1]))
    return [Phrase(*first[key], value) for value, key in ranked if value > 0]


def subject_of(text: str, language: Language) -> str:
    """What stands before the verb of the first sentence; empty where that is far away, or a pronoun."""
    first = next(sentence_spans(text), None)
    if first is None:
        return ""
    told = language.speaking.match(text, *first)
    if told:
        return told["t"] if not told["t"].startswith(tuple(language.pronouns)) else ""
    found: list[re.Match[str]] = []
    for match in WORD.finditer(text, *first):
        if match[0].lower() in language.verbs:
            return text[found[0].start() : found[-1].end()] if found else ""
        found.append(match)
        if len(found) > _LONGEST_SUBJECT:
            break
    return ""


def _grams(text: str, language: Language, corpus: Corpus) -> Iterator[list[re.Match[str]]]:
    """Stretches of a few words that begin and end with content."""
    for run in _runs(text, language, corpus):
        for begin in range(len(run)):
            for end in range(begin + 1, min(begin + _LONGEST, len(run)) + 1):
                words = run[begin:end]
                content = sum(word[0].lower() not in language.stop_words for word in words)
                if content <= _MOST_CONTENT and _is_name(words, language):
                    yield words


def _is_name(words: list[re.Match[str]], language: Language) -> bool:
    first, last = words[0][0].lower(), words[-1][0].lower()
    return (
        language.stop_words.isdisjoint((first, last))
        and len(first) > 1
        and not first[0].isdigit()
        and not language.unfinished.search(last)
    )


def _runs(text: str, language: Language, corpus: Corpus) -> Iterator[list[re.Match[str]]]:
    """Words that stand side by side with no verb or other stop word between them, but for joiners."""
    run: list[re.Match[str]] = []
    for match in WORD.finditer(text):
        word = match[0].lower()
        ends = (word in language.stop_words and word not in language.joiners) or corpus.is_verb(word)
        if run and (ends or text[run[-1].end() : match.start()] not in language.gaps):
            yield run
            run = []
        if not ends:
            run.append(match)
    if run:
        yield run
