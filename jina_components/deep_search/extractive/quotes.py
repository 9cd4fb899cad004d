"""The sentences that answer, and whether any does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from jina_components.core.quotable import quotable_spans
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.extractive.passages import title_of
from jina_components.deep_search.extractive.words import content_terms, refers_back
from jina_components.types import Document

# Documents whose sentences are compared.
_DOCUMENTS = 5
# How much the rank that a document was retrieved at adds to the reranker's score, which alone forgets it.
_PRIOR = 0.2
# Sentences nearly as relevant as the best one belong to the answer.
_CLOSE = 0.9
# Characters of two sentences that are quoted as one.
_PAIR = 400
_NOTE_MARKS = re.compile(r"\[\^?\d{1,4}\]")
_ENDS = (".", "!", "…", "。", "！", '."', ".”", ".)", "।")
_QUESTION_MARKS = ("?", "？", "؟")


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence, the document it stands in, and how relevant it is: the mean of its own score and the document's.

    `terms` are those of the sentence and its title, but for function words.
    """

    text: str
    document_id: str
    relevance: float
    terms: frozenset[str] = frozenset()


async def find_quotes(question: str, candidates: Sequence[Document], comparer: Comparer) -> list[Quote]:
    """Quotes of the candidates (best first), most relevant first.

    A sentence is judged under its title and together with its document: alone it rarely names what it speaks of.
    """
    judged = await comparer.relevance(question, candidates)
    scores = [_with_prior(score, rank) for rank, score in enumerate(judged)]
    best = sorted(range(len(candidates)), key=lambda index: -scores[index])[:_DOCUMENTS]
    # By their words, so that overlapping chunks count once.
    quotes: dict[str, tuple[Document, int]] = {}
    for index in best:
        for quote in _sentences(candidates[index]):
            quotes.setdefault(" ".join(quote.text.split()), (quote, index))
    listed = list(quotes.values())
    own = await comparer.relevance(question, [quote for quote, _ in listed])
    found = [
        _quote(quote, candidates[index], (score + scores[index]) / 2)
        for (quote, index), score in zip(listed, own, strict=True)
    ]
    return sorted(found, key=lambda quote: -quote.relevance)


async def best_quote(
    question: str,
    document: Document,
    query: str,
    comparer: Comparer,
    others: Sequence[Quote],
    *,
    least: float,
    enough: float,
) -> Quote | None:
    """The sentence that best fits the question, and the query that found the document; none where none is left.

    Its relevance is the better of its two scores: `least` at least, or `enough` where it has no words of the question
    that the other quotes lack. It says itself, or with the sentence before it, what it speaks of.
    """
    open_terms = content_terms(question).difference(*(quote.terms for quote in others))
    if not open_terms:
        return None
    quotes: list[Quote] = []
    judged: list[Document] = []
    bars: list[float] = []
    for sentence in _sentences(document):
        whole = with_subject(_quote(sentence, document, 0.0), document)
        quote = continuing(whole, others)
        if quote is not None:
            quotes.append(quote)
            judged.append(Document(whole.text, metadata=_names(document)))
            bars.append(enough if open_terms.isdisjoint(content_terms(sentence.text)) else least)
    scores = [0.0] * len(quotes)
    for asked in dict.fromkeys((question, query)):
        scores = list(map(max, scores, await comparer.relevance(asked, judged)))
    rated = zip(quotes, scores, bars, strict=True)
    fitting = [replace(quote, relevance=score) for quote, score, bar in rated if score >= bar]
    return max(fitting, key=lambda quote: quote.relevance, default=None)


def continuing(quote: Quote, others: Sequence[Quote]) -> Quote | None:
    """What of a quote with its subject is to follow the others; nothing where it repeats, or speaks of something else.

    Args:
        quote: As of `with_subject`.
        others: What was quoted before, at least one.
    """
    last = others[-1].text
    if quote.text != last and quote.text.startswith(last):
        return replace(quote, text=quote.text.removeprefix(last).strip())
    repeats = any(quote.text in other.text or other.text in quote.text for other in others)
    return None if repeats or refers_back(quote.text) else quote


def with_subject(quote: Quote, document: Document) -> Quote:
    """The quote with the sentence before it, where that names what a pronoun in it stands for and both are short."""
    if not refers_back(quote.text):
        return quote
    for before, span in pairwise(quotable_spans(document.text)):
        if document.text[span.start : span.end] == quote.text:
            subject, both = document.text[before.start : before.end], document.text[before.start : span.end]
            is_paragraph = document.text[before.end : span.start].isspace() and "\n\n" not in both
            says_it = not refers_back(subject) and not subject.endswith(_QUESTION_MARKS)
            if is_paragraph and len(both) <= _PAIR and says_it:
                return replace(quote, text=both, terms=quote.terms | content_terms(subject))
    return quote


def close_quotes(quotes: Sequence[Quote], min_relevance: float) -> list[Quote]:
    """The best of the quotes (most relevant first) if it is relevant enough, and those close to it."""
    if not quotes or quotes[0].relevance < min_relevance:
        return []
    limit = max(quotes[0].relevance * _CLOSE, min_relevance)
    return [quote for quote in quotes if quote.relevance >= limit]


def compose(quotes: Sequence[Quote]) -> str:
    """The quotes as one text, numbers of notes left out; what does not end as a sentence is a paragraph of its own."""
    text = ""
    for quote in quotes:
        text += _readable(quote.text)
        text += " " if text.endswith(_ENDS) else "\n\n"
    return text.strip()


def without_marks(text: str) -> str:
    """A text without marks of footnotes and numbers of notes."""
    return _NOTE_MARKS.sub("", text)


def _sentences(document: Document) -> Iterator[Document]:
    """Its sentences, but for questions: a question, however like the one asked, answers none."""
    names = _names(document)
    for start, end in quotable_spans(document.text):
        text = document.text[start:end]
        if not text.endswith(_QUESTION_MARKS):
            yield Document(text, metadata=names)


def _names(document: Document) -> dict[str, object]:
    """What a sentence is judged under."""
    return {name: document.metadata[name] for name in ("title", "heading") if name in document.metadata}


def _quote(sentence: Document, document: Document, relevance: float) -> Quote:
    return Quote(sentence.text, document.id, relevance, content_terms(f"{title_of(document)}\n{sentence.text}"))


def _readable(quote: str) -> str:
    if "```" in quote or "~~~" in quote:  # code keeps its lines
        return f"\n\n{quote}"
    return " ".join(without_marks(quote).split())


def _with_prior(score: float, rank: int) -> float:
    return (score + _PRIOR * 3 / (3 + rank)) / (1 + _PRIOR)
