"""Asking the Grounder whether the evidence shows a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from jina_components.core.origins import origin_of
from jina_components.core.quotable import Span
from jina_components.deep_search.citing.evidence import Quote
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.errors import JinaComponentsError, TraceError
from jina_components.protocols import SupportsGround
from jina_components.types import ClaimVerdict, Document, Grounding, Reference, Verdict, shorten

# Sentences of an answer to verify, and how many at the same time.
MAX_VERIFIED = 60
_AT_A_TIME = 4
_WINDOW = 6000  # characters of a longer document to show


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask.

    Attributes:
        before: What the sentence rests on, as the one before it; or empty.
        sentence: The sentence.
        quotes: The quotes that seem to say it; their documents are the evidence.
    """

    before: str
    sentence: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it.

    Attributes:
        verdict: What the evidence says; None where the sentence claims nothing.
        quotes: What speaks for it, with how surely.
        failed: Whether the Grounder failed, so that nothing is known.
    """

    verdict: Verdict | None
    quotes: tuple[tuple[Quote, float], ...] = ()
    failed: bool = False


class Verifier:
    """Verifies sentences, some at a time.

    Args:
        grounder: Judges.
        journal: Has each judgement on record.
        meter: Counts what they cost, and knows how much time is left.
    """

    def __init__(self, grounder: SupportsGround, *, journal: Journal, meter: Meter) -> None:
        self._grounder = grounder
        self._journal = journal
        self._meter = meter

    async def verify(self, questions: Sequence[Question], warnings: dict[str, None]) -> list[Verified | None]:
        """For each what the evidence says of it; None where no time was left to ask.

        What went wrong is added to `warnings`.
        """
        answers: dict[Question, Verified] = {}
        unique = list(dict.fromkeys(questions))
        for start in range(0, len(unique), _AT_A_TIME):
            self._meter.advance(self._journal.seconds)
            if self._meter.seconds_left(final=True) == 0:
                warnings["The time ended before all sentences of the answer were verified."] = None
                break
            some = unique[start : start + _AT_A_TIME]
            failures: dict[str, None] = {}
            found = await asyncio.gather(*(self._ask(question, failures) for question in some))
            warnings.update(dict.fromkeys(sorted(failures)))  # as they came is by chance
            answers.update(zip(some, found, strict=True))
        return [answers.get(question) for question in questions]

    async def _ask(self, question: Question, warnings: dict[str, None]) -> Verified:
        statement = f"{question.before} {question.sentence}".strip()
        quotes = {quote.document.id: quote for quote in reversed(question.quotes)}
        excerpts = [_excerpt(quote) for quote in reversed(quotes.values())]
        request = {"statement": statement, "documents": [excerpt.id for excerpt in excerpts]}
        ask = partial(self._grounder.aground, statement, references=excerpts)
        try:
            grounding = await self._journal.call("verify", request, ask, Grounding)
        except TraceError:
            raise
        except JinaComponentsError as error:
            warnings[f"Sentences of the answer could not be verified: {shorten(str(error), 300)}"] = None
            return Verified("not enough evidence", failed=True)
        self._meter.pay(usage=grounding.usage)
        return _verified(grounding, len(question.before) + 1 if question.before else 0, quotes, excerpts)


def _excerpt(quote: Quote) -> Document:
    """The document, or of a long one what stands around the quote."""
    document = quote.document
    if len(document.text) <= _WINDOW:
        return document
    low = max(min(quote.span.start - _WINDOW // 3, len(document.text) - _WINDOW), 0)
    origin = origin_of(document)
    metadata = {"source": origin.source, "start": origin.start + low, "title": origin.title, "heading": origin.heading}
    return Document(document.text[low : low + _WINDOW], metadata=metadata)


def _verified(grounding: Grounding, before: int, quotes: dict[str, Quote], excerpts: Sequence[Document]) -> Verified:
    """What the grounding says of the sentence alone, of which the words before it are no part."""
    claims = [claim for claim in grounding.claims if claim.end > before]
    if not grounding.claims or (before and not claims):
        verdict: Verdict | None = grounding.verdict if grounding.references and not before else None
        references: Sequence[Reference] = grounding.references
    else:
        verdict = _all_of(claims)
        references = [reference for claim in claims for reference in claim.references]
    documents = [quote.document for quote in reversed(quotes.values())]
    found: dict[tuple[str, Span], tuple[Quote, float]] = {}
    for reference in sorted(references, key=lambda one: -one.confidence):
        quote = _quote(reference, documents, excerpts) if reference.is_supportive else None
        if quote is not None:
            found.setdefault((quote.document.id, quote.span), (quote, reference.confidence))
    return Verified(verdict, tuple(found.values()))


def _all_of(claims: Sequence[ClaimVerdict]) -> Verdict:
    verdicts = {claim.verdict for claim in claims}
    if "refuted" in verdicts:
        return "refuted"
    return "supported" if verdicts == {"supported"} else "not enough evidence"


def _quote(reference: Reference, documents: Sequence[Document], excerpts: Sequence[Document]) -> Quote | None:
    """A reference as a quote of the document that it stands in; None where it stands in none."""
    for number, document in enumerate(documents):
        origin = origin_of(document)
        if reference.url not in (origin.source, excerpts[number].id, f"references[{number}]"):
            continue
        span = Span(reference.start - origin.start, reference.end - origin.start)
        if 0 <= span.start < span.end and document.text[span.start : span.end] == reference.key_quote:
            return Quote(document, span, reference.key_quote)
    return None
