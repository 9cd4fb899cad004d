"""What models say of texts: ranked documents, and what one text says of another."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from jina_components.errors import JinaComponentsError
from jina_components.types.texts import Document, Usage, shorten, shown


@dataclass(frozen=True, slots=True)
class StageScore:
    """What one stage of a retrieval said of a document.

    Attributes:
        stage: `dense`, `lexical`, `multi_vector`, `fusion`, `rerank`, `late_chunking` or `diversity`.
        score: On that stage's own scale: cosine, BM25, …; higher is better.
        rank: Place among the stage's candidates, from 1.
    """

    stage: str
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class ScoredDocument:
    """A document with its score for a query.

    Attributes:
        document: The document.
        score: Higher is better; the scale is that of the component that made it.
        index: Position in the list that was ranked, or None when it came from an index.
        why: What each stage said of it, in the order they ran, where several had a say.
    """

    document: Document
    score: float
    index: int | None = None
    why: tuple[StageScore, ...] = ()

    def __repr__(self) -> str:
        return f"ScoredDocument({self.score:.4f}, {shown(self.document)})"


@dataclass(frozen=True, slots=True)
class DocumentFailure:
    """A document that could not be ranked, and why.

    Attributes:
        index: Position in the list that was ranked.
        error: What is wrong with it.
    """

    index: int
    error: JinaComponentsError


@dataclass(frozen=True, slots=True, repr=False)
class Ranking(Sequence[ScoredDocument]):
    """Documents ranked for a query, best first; behaves as a sequence of them.

    Attributes:
        results: The documents.
        usage: Tokens that ranking them cost.
        failures: Documents that are not among the results because they could not be ranked, by index.
        vectors: Of each result, where the model compares a vector of the document (of its best chunk) with one of the
            query, as listwise models do, else None; float32, unit length, shape [len(results), dimensions].
    """

    results: tuple[ScoredDocument, ...] = ()
    usage: Usage = Usage()
    failures: tuple[DocumentFailure, ...] = ()
    vectors: Any = field(default=None, compare=False, metadata={"on_record": False})  # Any: numpy is not imported here

    @overload
    def __getitem__(self, index: int) -> ScoredDocument: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ScoredDocument, ...]: ...
    def __getitem__(self, index: int | slice) -> ScoredDocument | tuple[ScoredDocument, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[ScoredDocument]:
        return iter(self.results)

    def __repr__(self) -> str:
        failures = f", failures={list(self.failures)!r}" if self.failures else ""
        return f"Ranking({list(self.results)!r}{failures})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{rank}</td><td title='{html.escape(_reasons(hit))}'>{hit.score:.4f}</td>"
            f"<td>{html.escape(str(hit.document.metadata.get('source', hit.document.id)))}</td>"
            "<td style='text-align:left'>"
            f"{html.escape(shorten(hit.document.text or str(hit.document.metadata), 200))}</td></tr>"
            for rank, hit in enumerate(self.results, 1)
        )
        failures = "".join(f"<li>{f.index}: {html.escape(str(f.error))}</li>" for f in self.failures)
        table = f"<table><tr><th>#</th><th>score</th><th>source</th><th>text</th></tr>{rows}</table>"
        return table + (f"<p>Not ranked:</p><ul>{failures}</ul>" if failures else "")


def _reasons(hit: ScoredDocument) -> str:
    return ", ".join(f"{why.stage} {why.score:.4g} (#{why.rank})" for why in hit.why)


@dataclass(frozen=True, slots=True)
class Entailment:
    """What a premise says of a hypothesis: three probabilities that sum to 1.

    Attributes:
        entailment: The premise shows the hypothesis to be true.
        neutral: It leaves it open.
        contradiction: It shows it to be false.
    """

    entailment: float
    neutral: float
    contradiction: float

    @property
    def label(self) -> Literal["entailment", "neutral", "contradiction"]:
        """The most probable; where several are equal, neutral or else entailment."""
        ordered: tuple[Literal["neutral", "entailment", "contradiction"], ...] = (
            "neutral", "entailment", "contradiction",
        )  # fmt: skip
        return max(ordered, key=lambda name: getattr(self, name))

    def __repr__(self) -> str:
        return (
            f"Entailment(entailment={self.entailment:.3f}, neutral={self.neutral:.3f}, "
            f"contradiction={self.contradiction:.3f})"
        )


@dataclass(frozen=True, slots=True, repr=False)
class Entailments(Sequence[Entailment]):
    """One for each pair of texts, in their order; behaves as a sequence of them.

    Attributes:
        results: What each premise says of its hypothesis.
        usage: Tokens that scoring them cost.
    """

    results: tuple[Entailment, ...] = ()
    usage: Usage = Usage()

    @overload
    def __getitem__(self, index: int) -> Entailment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entailment, ...]: ...
    def __getitem__(self, index: int | slice) -> Entailment | tuple[Entailment, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Entailment]:
        return iter(self.results)

    def __repr__(self) -> str:
        return f"Entailments({list(self.results)!r})"
