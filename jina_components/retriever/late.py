"""Late chunking when the query is there: a long document becomes its best passage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jina_components.core.vectors import normalize
from jina_components.protocols import SupportsSegment
from jina_components.retriever.candidates import Candidate
from jina_components.types import Chunk, Document, Embeddings, StageScore, Usage

if TYPE_CHECKING:
    from jina_components.types import FloatArray


@runtime_checkable
class SupportsLateChunking(Protocol):
    """Embeds the chunks of a document so that each knows what stands around it, as an `Embedder` does."""

    def embed(self, inputs: Sequence[str], *, task: str | None = None, late_chunking: bool = False) -> Embeddings:
        """Unit vectors of consecutive chunks, which together are one document."""
        ...


def narrowed(
    candidates: Sequence[Candidate], query: FloatArray, embedder: SupportsLateChunking, segmenter: SupportsSegment
) -> tuple[list[Candidate], Usage]:
    """Each candidate as the chunk of it that is nearest to the query, in the same order, and what that cost.

    The chunks run through the model together, so that a chunk's vector knows the whole document (Günther et al. 2024,
    arXiv:2409.04701); the vectors are made now, so that the index holds one a document. A document of a single chunk
    stays as it is. The metadata of the others says where the chunk stands, `start` and `end`: in the document, or
    where that is a piece of a source itself, in the source. Ids stay those of the documents.

    Args:
        candidates: What to narrow.
        query: The query's unit vector, shape [dimensions].
        embedder: Made the query's vector.
        segmenter: Cuts without overlap.
    """
    usage = Usage()
    found: list[tuple[Candidate, float | None]] = []
    for candidate in candidates:
        chunks = _chunks(candidate.document, segmenter)
        if len(chunks) < 2:
            found.append((candidate, None))
            continue
        texts = [chunk.text for chunk in chunks]
        embeddings = embedder.embed(texts, task="retrieval.passage", late_chunking=True)
        usage += embeddings.usage
        cosines = normalize(embeddings.vectors) @ query
        best = int(cosines.argmax())
        narrow = replace(candidate, document=_passage(candidate.document, chunks[best]))
        found.append((narrow, float(cosines[best])))
    by_cosine = sorted((-cosine, place) for place, (_, cosine) in enumerate(found) if cosine is not None)
    ranks = {place: rank for rank, (_, place) in enumerate(by_cosine, 1)}
    return [
        _explained(candidate, cosine, ranks.get(place, 0)) for place, (candidate, cosine) in enumerate(found)
    ], usage


def _chunks(document: Document, segmenter: SupportsSegment) -> list[Chunk]:
    return [chunk for chunk in segmenter.segment(document.text).chunks if chunk.text.strip()]


def _passage(document: Document, chunk: Chunk) -> Document:
    held = document.metadata.get("start")
    start = (held if isinstance(held, int) else 0) + chunk.start
    metadata = {**document.metadata, "start": start, "end": start + len(chunk.text)}
    return Document(chunk.text, document.id, metadata)


def _explained(candidate: Candidate, cosine: float | None, rank: int) -> Candidate:
    """With the word of this stage, which decides on the passage and not on the order."""
    if cosine is None:
        return candidate
    return replace(candidate, why=(*candidate.why, StageScore("late_chunking", cosine, rank)))
