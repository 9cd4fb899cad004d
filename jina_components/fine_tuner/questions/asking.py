"""Questions of a passage: of its title and headings, of what it defines, says and is named by."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jina_components.fine_tuner.questions.code import code_questions, functions
from jina_components.fine_tuner.questions.corpus import WORD, Corpus, Span, sentence_spans
from jina_components.fine_tuner.questions.languages import LANGUAGES, Language, language_of
from jina_components.fine_tuner.questions.languages.row import Templates
from jina_components.fine_tuner.questions.topics import clean_title, opening_title, phrases, subject_of, title_topic

_LONGEST = 24
# Of a rule that finds more, the questions that are taken of a passage.
_CUES, _STATEMENTS, _SENTENCES = 3, 3, 2
_KEYWORDS, _PHRASES = (3, 6), 40
# Words of a topic that cues are asked about, at most; how far behind the best cue another may be.
_NAMES, _BESIDE = 6, 0.4
# Sentences of a passage whose first one names what all of them are about.
_SHORT = 6
# Of the highest idf, what a question of the text itself has in one word at least.
_TELLING = 0.6
_APART = re.compile(r"[\s'’-]+")
# Mathematics, tables and the like make no questions.
_WORDY = 0.7


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a passage answers.

    Attributes:
        text: The question, or words that somebody would search with.
        kind: The rule: `asked`, `title`, `heading`, `definition`, `cue`, `statement`, `clause`, `sentence`, `keywords`;
            of code `docstring`, `name`.
        span: Where the passage has the question's own words, so that they can be left out; None for others.
    """

    text: str
    kind: str
    span: tuple[int, int] | None = None


def questions_of(
    text: str,
    *,
    corpus: Corpus,
    title: str = "",
    headings: Sequence[str] = (),
    topic: str = "",
    language: str = "",
    seed: int = 0,
) -> list[Question]:
    """Questions that a passage answers, each once.

    Args:
        text: The passage; prose, or source code.
        corpus: How words are spread over all passages.
        title: Of its document; empty takes one that the passage begins with.
        headings: That it stands under, from the outermost on.
        topic: What it is about; empty finds that.
        language: ISO 639-1; empty tells it by the words. In a language that has no row, prose has no questions.
        seed: Which of a rule's wordings are taken.
    """
    chance = random.Random(f"{seed}:{text}")  # noqa: S311 (no secret)
    found = list(functions(text))
    row = LANGUAGES.get(language or language_of(text))
    made: list[Question] = []
    if found:
        made = [Question(*asked) for each in found for asked in code_questions(each, text, corpus, chance)]
    elif row:
        asking = _Asking(text, title or opening_title(text, row), headings, topic, row, corpus, chance)
        made = list(asking.questions())
    unique: dict[str, Question] = {}
    for question in made:
        unique.setdefault(" ".join(WORD.findall(question.text.lower())), question)
    return [question for key, question in unique.items() if _tells(key, corpus)]


def _tells(words: str, corpus: Corpus) -> bool:
    """Whether few texts would have all the words, were they spread independently."""
    return len(words.split()) <= _LONGEST and sum(map(corpus.idf, set(words.split()))) >= 0.8 * corpus.rarest


class _Asking:
    """The rules for prose, on one passage."""

    def __init__(
        self,
        text: str,
        title: str,
        headings: Sequence[str],
        topic: str,
        language: Language,
        corpus: Corpus,
        chance: random.Random,
    ) -> None:
        self.text, self.title, self.headings = text, clean_title(title), [clean_title(each) for each in headings]
        self.language, self.corpus, self.chance = language, corpus, chance
        self.phrases = phrases(text, self.title, language=language, corpus=corpus)
        self.topic = topic or title_topic(title, language) or (subject_of(text, language) if language.subject else "")
        self.topic = self.topic or (self.phrases[0].text if self.phrases else "")
        self.spans = [span for span in sentence_spans(text) if not corpus.is_common(span.of(text))]

    def questions(self) -> Iterator[Question]:
        for rule in (self._asked, self._titled, self._defined, self._cued):
            yield from rule()
        yield from self._some(_STATEMENTS, self._stated)
        yield from self._some(_STATEMENTS, self._phrased)
        yield from self._sentences()
        yield from self._keywords()

    def _some(self, most: int, rule: Callable[[], Iterator[Question]]) -> list[Question]:
        found = list(rule())
        return self.chance.sample(found, min(most, len(found)))

    def _wording(self, templates: Templates, *parts: str, topic: str = "", defined: str = "") -> str:
        """One of the templates, as typed into a box or as written in a letter."""
        inner = [self._inner(part) for part in parts]
        asked = " ".join(self.chance.choice(templates).format(*inner, t=topic or self.topic, d=defined).split())
        if not asked.endswith(("?", "？")):
            return asked.lower()
        if self.chance.random() < 0.6:
            return asked[:-1].lower()
        return f"{self.language.opening}{asked[:1].upper()}{asked[1:-1]}{self.language.closing}"

    def _inner(self, part: str) -> str:
        """As it stands within a sentence: a capital is left to words that are rare, as names are."""
        first, behind, rest = part.partition(" ")
        if first.lower() in self.language.stop_words:
            return f"{first.lower()}{behind}{rest}"
        is_name = first[1:] != first[1:].lower() or self.corpus.idf(first) > 0.5 * self.corpus.rarest
        return part if is_name else f"{first.lower()}{behind}{rest}"

    def _asked(self) -> Iterator[Question]:
        for span in self.spans:
            question = span.of(self.text)
            if question.endswith(("?", "？")) and any(map(self._is_telling, WORD.findall(question))):
                yield Question(question.lstrip(" *-#>"), "asked", span)

    def _is_telling(self, word: str) -> bool:
        """Whether a word is of the topic, or few passages have it."""
        return (
            word.lower() in WORD.findall(self.topic.lower()) or self.corpus.idf(word) >= _TELLING * self.corpus.rarest
        )

    def _titled(self) -> Iterator[Question]:
        if self.title:
            lead_in = self.language.leading.match(self.title)
            bare = self.title[lead_in.end() :] if lead_in and lead_in.end() < len(self.title) else self.title
            start = self.text.find(self.title)
            span = (start, start + len(self.title)) if start >= 0 else None
            yield Question(self.title if self.chance.random() < 0.5 else self.title.lower(), "title", span)
            content = [word for word in WORD.findall(bare.lower()) if word not in self.language.stop_words]
            if len(content) > _KEYWORDS[0]:
                yield Question(self._wording(self.language.titles, topic=bare), "title", span)
                wanted = min(self.chance.randint(*_KEYWORDS), len(content) - 1)
                places = sorted(self.chance.sample(range(len(content)), wanted))
                yield Question(" ".join(content[place] for place in places), "keywords", span)
        if self.headings and self.headings[-1] not in ("", self.title):
            above = self.headings[-2] if len(self.headings) > 1 else self.title
            yield Question(f"{above} {self.headings[-1]}".strip().lower(), "heading")

    def _defined(self) -> Iterator[Question]:
        for span in self.spans[:3]:
            match = self.language.defining.match(span.of(self.text))
            name = self._name(match["t"]) if match else ""
            if match and name and self._is_rare(name):
                self.topic = name
                defined = self._inner(self.text[span.start : span.start + match.end("t")])
                yield Question(self._wording(self.language.defines, defined=defined), "definition")
                return

    def _name(self, subject: str) -> str:
        """What is defined, without its article; empty where it is no name."""
        found = list(WORD.finditer(subject))
        while found and found[0][0].lower() in self.language.determiners:
            found = found[1:]
        if not found or len(found) > 7 or found[0][0].lower() in self.language.stop_words:
            return ""
        return subject[found[0].start() : found[-1].end()]

    def _cued(self) -> Iterator[Question]:
        """The cues that most of the passage is about; in sentences that name the topic, they count double."""
        names = {word for word in WORD.findall(self.topic.lower()) if word not in self.language.stop_words}
        if not (self.spans and 0 < len(names) <= _NAMES and self._is_rare(self.topic)):
            return
        is_short = self.topic.lower() in self.spans[0].of(self.text).lower() and len(self.spans) <= _SHORT
        about = [not names.isdisjoint(WORD.findall(span.of(self.text).lower())) for span in self.spans]
        scored: list[tuple[float, Templates]] = []
        for pattern, templates, within in self.language.cued:
            if not within.search(self.text):
                continue
            hits = [place for place, span in enumerate(self.spans) if pattern.search(span.of(self.text))]
            weight = float(sum((1 + about[place]) * (1 + (place == 0)) for place in hits))
            if weight >= 2 - is_short and (within.pattern or is_short or any(about[place] for place in hits)):
                scored.append((weight, templates))
        scored.sort(key=lambda pair: -pair[0])
        for weight, templates in scored[:_CUES]:
            if weight >= _BESIDE * scored[0][0]:
                yield Question(self._wording(templates), "cue")

    def _is_rare(self, name: str) -> bool:
        return sum(map(self.corpus.idf, WORD.findall(name))) >= 0.7 * self.corpus.rarest

    def _stated(self) -> Iterator[Question]:
        for span in self.spans:
            for pattern, templates in self.language.stated:
                match = pattern.match(self.text, *span)
                if match and self._stands_alone(match[0]) and self._is_whole(match[1], match[match.lastindex or 1]):
                    yield Question(self._wording(templates, *match.groups()), "statement", span)

    def _phrased(self) -> Iterator[Question]:
        names = {
            word for word in WORD.findall(f"{self.topic} {self.title}".lower()) if word not in self.language.stop_words
        }
        for span in self.spans:
            for pattern, templates in self.language.phrased:
                for match in pattern.finditer(span.of(self.text)):
                    words = " ".join(match.groups())
                    is_about = not names.isdisjoint(WORD.findall(words.lower()))
                    if is_about and self._stands_alone(words) and self._is_whole(*match.groups()):
                        yield Question(self._wording(templates, *match.groups()), "clause", span)

    def _is_whole(self, *parts: str) -> bool:
        """Whether none of them is broken off."""
        language = self.language
        return all(
            part.split()[-1].lower() not in language.stop_words and language.verbs.isdisjoint(part.lower().split()[1:])
            for part in parts
        )

    def _stands_alone(self, text: str) -> bool:
        """Whether it names what it speaks of."""
        found = set(WORD.findall(text.lower()))
        return found.isdisjoint(self.language.pronouns) and sum(map(self.corpus.idf, found)) >= 1.2 * self.corpus.rarest

    def _sentences(self) -> Iterator[Question]:
        def salience(span: Span) -> float:
            found = {word for word in WORD.findall(span.of(self.text).lower()) if word not in self.language.stop_words}
            return sum(map(self.corpus.idf, found)) / (len(found) + 4)

        fit = [span for span in self.spans if self._is_sentence(span.of(self.text))]
        for span in sorted(fit, key=salience, reverse=True)[:_SENTENCES]:
            yield Question(span.of(self.text).strip(" .。-*#>"), "sentence", span)

    def _is_sentence(self, text: str) -> bool:
        found = WORD.findall(text.lower())
        letters = sum(character.isalpha() or character.isspace() for character in text)
        return (
            5 <= len(found) <= _LONGEST
            and not text.endswith(("?", ":"))
            and found[0] not in self.language.pronouns
            and letters >= _WORDY * len(text)
            and clean_title(text) != self.title
        )

    def _keywords(self) -> Iterator[Question]:
        """The topic, and other phrases of the passage in its order."""
        wanted = self.chance.randint(*_KEYWORDS)
        chosen = [(-1, self.topic)] if self.topic else []
        taken = set(_APART.split(self.topic.lower()))
        for phrase in self.phrases[:_PHRASES]:
            found = [word for word in phrase.text.lower().split() if word not in self.language.stop_words]
            if taken.isdisjoint(_APART.split(phrase.text.lower())) and len(found) <= 3:
                chosen.append((phrase.start, " ".join(found)))
                taken.update(found)
            if len(taken) >= wanted:
                break
        if len(chosen) > 1:
            yield Question(" ".join(words for _, words in sorted(chosen)).lower(), "keywords")
