"""The reasoner without a language model: the sentences that answer, and whether any does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jina_components.deep_search.citations import cite
from jina_components.deep_search.quotable import quotable_spans
from jina_components.protocols import SupportsRerank
from jina_components.types import Citation, Document, Ranking, Usage

# Documents whose sentences are compared.
_DOCUMENTS = 5
# Sentences nearly as relevant as the best one belong to the answer.
_CLOSE = 0.92


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote, and how relevant it is: the mean of its own score and that of the document it stands in."""

    citation: Citation
    relevance: float


def find_evidence(
    question: str, candidates: Sequence[Document], reranker: SupportsRerank
) -> tuple[list[Evidence], Usage]:
    """Quotes of the candidates, most relevant first, and what scoring them cost.

    A sentence is judged together with its document: alone it rarely names what it speaks of.
    """
    ranked = reranker.rerank(question, [_in_context(document) for document in candidates], top_n=_DOCUMENTS)
    quotes: dict[str, tuple[Citation, float]] = {}  # by its words, so that overlapping chunks count once
    for hit in ranked:
        document = candidates[hit.index or 0]
        for span in quotable_spans(document.text):
            citation = cite(document, span)
            quotes.setdefault(" ".join(citation.quote.split()), (citation, hit.score))
    if not quotes:
        return [], ranked.usage
    scored: Ranking = reranker.rerank(question, list(quotes))
    found = list(quotes.values())
    evidence = [
        Evidence(found[hit.index or 0][0], (hit.score + found[hit.index or 0][1]) / 2) for hit in scored
    ]
    evidence.sort(key=lambda item: -item.relevance)
    return evidence, ranked.usage + scored.usage


def choose(evidence: Sequence[Evidence], *, min_relevance: float, max_citations: int) -> list[Citation]:
    """The quotes that make the answer: the best one if it is relevant enough, and those close to it."""
    if not evidence or evidence[0].relevance < min_relevance:
        return []
    limit = max(evidence[0].relevance * _CLOSE, min_relevance)
    return [item.citation for item in evidence[:max_citations] if item.relevance >= limit]


def compose(citations: Sequence[Citation]) -> str:
    """The quotes as one text, each followed by its number."""
    return " ".join(f"{' '.join(citation.quote.split())} [{n}]" for n, citation in enumerate(citations, 1))


def _in_context(document: Document) -> Document:
    """The document under its title and heading, which name what its text leaves out."""
    names = [document.metadata.get(key) for key in ("title", "heading")]
    text = "\n".join([*(name for name in names if isinstance(name, str) and name), document.text])
    return Document(text, document.id)
