"""The reasoner without a language model: the sentences that answer, and whether any does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jina_components.core.quotable import quotable_spans
from jina_components.deep_search.citations import cite
from jina_components.protocols import SupportsRerank
from jina_components.types import Citation, Document, Usage

# Documents whose sentences are compared.
_DOCUMENTS = 5
# How much the rank that a document was retrieved at adds to the reranker's score, which alone forgets it.
_PRIOR = 0.2
# Sentences nearly as relevant as the best one belong to the answer.
_CLOSE = 0.9
_NOTE_MARKS = re.compile(r"\[\d{1,4}\]")
_QUESTION_MARKS = ("?", "？", "؟")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote, and how relevant it is: the mean of its own score and that of the document it stands in."""

    citation: Citation
    relevance: float


def find_evidence(
    question: str, candidates: Sequence[Document], reranker: SupportsRerank
) -> tuple[list[Evidence], Usage]:
    """Quotes of the candidates (best first), most relevant first, and what scoring them cost.

    A sentence is judged under its title and together with its document: alone it rarely names what it
    speaks of. What is longer than the reranker's context is judged by its head.
    """
    ranked = reranker.rerank(question, [_in_context(document, document.text) for document in candidates], truncate=True)
    scores = {hit.index or 0: _with_prior(hit.score, hit.index or 0) for hit in ranked}
    quotes: dict[str, tuple[Citation, str, float]] = {}  # by its words, so that overlapping chunks count once
    for index in sorted(scores, key=lambda index: -scores[index])[:_DOCUMENTS]:
        document = candidates[index]
        for span in quotable_spans(document.text):
            citation = cite(document, span)
            if citation.quote.endswith(_QUESTION_MARKS):  # a question, however like the one asked, answers none
                continue
            found = citation, _in_context(document, citation.quote), scores[index]
            quotes.setdefault(" ".join(citation.quote.split()), found)
    listed = list(quotes.values())
    scored = reranker.rerank(question, [text for _, text, _ in listed], truncate=True)
    evidence = []
    for hit in scored:
        citation, _, document_score = listed[hit.index or 0]
        evidence.append(Evidence(citation, (hit.score + document_score) / 2))
    evidence.sort(key=lambda item: -item.relevance)
    return evidence, ranked.usage + scored.usage


def choose(evidence: Sequence[Evidence], *, min_relevance: float, max_citations: int) -> list[Citation]:
    """The quotes that make the answer: the best one if it is relevant enough, and those close to it."""
    if not evidence or evidence[0].relevance < min_relevance:
        return []
    limit = max(evidence[0].relevance * _CLOSE, min_relevance)
    return [item.citation for item in evidence[:max_citations] if item.relevance >= limit]


def compose(citations: Sequence[Citation]) -> str:
    """The quotes as one text, each followed by its number; numbers in brackets of their own are left out."""
    return " ".join(f"{_readable(citation.quote)} [{number}]" for number, citation in enumerate(citations, 1))


def _readable(quote: str) -> str:
    text = _NOTE_MARKS.sub("", quote)
    return f"{text}\n" if "```" in text or "~~~" in text else " ".join(text.split())  # code keeps its lines


def _with_prior(score: float, index: int) -> float:
    return (score + _PRIOR * 3 / (3 + index)) / (1 + _PRIOR)


def _in_context(document: Document, text: str) -> str:
    """A text of the document under its title and heading, which name what the text leaves out."""
    names = [document.metadata.get(key) for key in ("title", "heading")]
    return "\n".join([*(name for name in names if isinstance(name, str) and name), text])
