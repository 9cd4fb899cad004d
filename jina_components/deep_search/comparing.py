"""How similar texts are, and how relevant for a query: by models, or by words where there are none."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, Protocol, cast

from jina_components.core.overlap import Overlap, terms
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.errors import BackendError, ConfigError, JinaComponentsError, TraceError, WebError
from jina_components.protocols import SupportsEmbed, SupportsRerank
from jina_components.types import Document, Embeddings, Usage, shorten

if TYPE_CHECKING:
    from jina_components.types import FloatArray

# From which on two texts say the same: cosine, as in Jina's DeepSearch, or share of words in common.
_SAME_COSINE, _SAME_WORDS = 0.86, 0.8
# Bytes of a query that models get to see, so that it leaves room for the text beside it in the shortest of contexts.
_MAX_QUERY = 1200
# Characters of a text that is compared with others; it is the beginning that counts.
_MAX_TEXT = 8000
# Digits that scores are kept with, so that a record of them stays short.
_DIGITS = 6
# Vectors to keep: what was asked and read is compared with again and again.
_MAX_VECTORS = 20_000


_MODELS = {"rerank": "The reranker", "similarity": "The embedder"}


class _Embeds(Protocol):
    """Embeds as an `Embedder` does, which tells what it cost and can let chunks know what stands around them."""

    def embed(
        self, inputs: Sequence[str], *, task: str | None, truncate: bool | None, late_chunking: bool = False
    ) -> Embeddings: ...


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores as they are kept on record.

    Attributes:
        rows: For each text its similarity to each of the others, or one row.
        usage: What the model took for it.
        how: Of chunks of one document, how their vectors were made.
    """

    rows: tuple[tuple[float, ...], ...]
    usage: Usage = field(default_factory=Usage)
    how: str = ""


class Comparer:
    """Compares texts. All scores of models are on record; blank texts are like nothing and get 0.

    A search outlives its models: where one cannot be reached or breaks down, words are compared from then on; so too
    where one that has worked before fails for any other reason.

    Attributes:
        warnings: Which model failed, and why.
    """

    def __init__(
        self, *, embedder: SupportsEmbed | None, reranker: SupportsRerank | None, journal: Journal, meter: Meter
    ) -> None:
        self._embedder = embedder
        self._reranker = reranker
        self._journal = journal
        self._meter = meter
        self.warnings: dict[str, None] = {}
        self._failed: dict[str, JinaComponentsError] = {}
        self._vectors: dict[str, FloatArray] = {}
        self._tells_usage = self._embeds_late = _takes(embedder, "embed", "late_chunking")

    async def relevance(self, query: str, documents: Sequence[Document]) -> list[float]:
        """Score of each document for the query, higher is better: the reranker's, or else of words in common (0 to 1).

        A document is judged under its title and headings, which name what it speaks of; what is longer than the
        reranker's context, by its head.

        Raises:
            ConfigError, InputError …: the reranker cannot work as the caller made it.
        """
        texts = [in_context(document) for document in documents]
        query = shortened(query)
        places = [place for place, document in enumerate(documents) if document.text.strip()]
        if not places or not query:
            return [0.0] * len(texts)
        judged = [texts[place] for place in places]
        scores = None
        if self._reranker is not None:
            request = {"query": query, "documents": [documents[place].id for place in places]}
            rerank = partial(_reranked, self._reranker, query, judged)
            scores = await self._ask("rerank", request, rerank)
        found = _by_words(query, judged) if scores is None else scores.rows[0]
        return _filled(len(texts), places, found)

    async def similarity(self, texts: Sequence[str], others: Sequence[str]) -> list[list[float]]:
        """For each text its similarity to each of the others: cosine, or else the share of words in common (Jaccard).

        Raises:
            ConfigError, InputError …: the embedder cannot work as the caller made it.
        """
        rows = [place for place, text in enumerate(texts) if text.strip()]
        columns = [place for place, text in enumerate(others) if text.strip()]
        left, right = [texts[place][:_MAX_TEXT] for place in rows], [others[place][:_MAX_TEXT] for place in columns]
        if not left or not right:
            return [[0.0] * len(others) for _ in texts]
        scores = None
        if self._embedder is not None:
            request = {"texts": len(left), "others": len(right), "digest": _digest([*left, "", *right])}
            scores = await self._ask("similarity", request, partial(self._cosines, left, right))
        found: Sequence[Sequence[float]] = _jaccard(left, right) if scores is None else scores.rows
        filled = dict(zip(rows, found, strict=True))
        return [_filled(len(others), columns, filled[row]) if row in filled else [0.0] * len(others)
                for row in range(len(texts))]  # fmt: skip

    async def passages(self, query: str, chunks: Sequence[str]) -> list[float]:
        """Similarity of a query to each of the consecutive chunks of one document, none of them blank.

        With an embedder that can, the chunks run through the model together, so that each knows what stands around it
        (late chunking, Günther et al. 2024, arXiv:2409.04701); else each stands alone. Without an embedder, the share
        of the query's words, 0 to 1.

        Raises:
            ConfigError, InputError …: the embedder cannot work as the caller made it.
        """
        query = shortened(query)
        if not chunks or not query:
            return [0.0] * len(chunks)
        scores = None
        if self._embedder is not None:
            request = {"query": query, "chunks": len(chunks), "digest": _digest(chunks)}
            scores = await self._ask("similarity", request, partial(self._of_chunks, query, chunks))
        return _by_words(query, chunks) if scores is None else list(scores.rows[0])

    async def novel(self, texts: Sequence[str], known: Sequence[str], *, limit: int) -> list[str]:
        """The first texts that say something else than the known and than those before them, up to `limit`.

        A cosine of 0.86 counts as the same, as in Jina's DeepSearch; without an embedder, 0.8 of the words in common.

        Raises:
            ConfigError, InputError …: the embedder cannot work as the caller made it.
        """
        said = {_plain(text) for text in known}
        fresh: dict[str, str] = {}
        for text in texts:
            if (plain := _plain(text)) and plain not in said:
                fresh.setdefault(plain, text)
        candidates = list(fresh.values())
        if not candidates:
            return []
        others = [*known, *candidates]
        table = await self.similarity(candidates, others) if len(others) > 1 else [[0.0]]
        is_by_words = self._embedder is None or "similarity" in self._failed
        same = _SAME_WORDS if is_by_words else _SAME_COSINE
        chosen: list[str] = []
        against = list(range(len(known)))
        for number, (text, row) in enumerate(zip(candidates, table, strict=True)):
            if len(chosen) == limit:
                break
            if all(row[place] < same for place in against):
                chosen.append(text)
                against.append(len(known) + number)
        return chosen

    async def _ask(
        self, kind: Literal["rerank", "similarity"], request: object, work: Callable[[], _Scores]
    ) -> _Scores | None:
        """What a model says, in a thread, on record and paid for; None, from then on, where it fails.

        That it is not asked any more is on record too: what is compared at the same time may come first in a replay.
        """

        async def do() -> _Scores:
            if kind in self._failed:
                raise self._failed[kind]
            return await asyncio.to_thread(work)

        try:
            scores = await self._journal.call(kind, request, do, _Scores)
        except TraceError:
            raise
        except JinaComponentsError as error:
            if not (self._journal.has_worked(kind) or isinstance(error, BackendError | WebError)):
                raise
            self._failed[kind] = error
            why = shorten(str(error), 300)
            self.warnings[f"{_MODELS[kind]} failed, so that words in common take its place: {why}"] = None
            return None
        self._meter.pay(usage=scores.usage)
        return scores

    def _cosines(self, left: Sequence[str], right: Sequence[str]) -> _Scores:
        vectors, usage = self._embedded(list(dict.fromkeys([*left, *right])))
        import numpy as np

        table = np.stack([vectors[text] for text in left]) @ np.stack([vectors[text] for text in right]).T
        return _Scores(tuple(tuple(round(float(cosine), _DIGITS) for cosine in row) for row in table), usage)

    def _embedded(self, texts: Sequence[str]) -> tuple[dict[str, FloatArray], Usage]:
        """Unit vectors of texts that are compared with each other."""
        if len(self._vectors) > _MAX_VECTORS:
            self._vectors = {}
        kept = self._vectors  # which another thread may put a new one in the place of
        known = {text: kept[text] for text in texts if text in kept}
        missing = [text for text in texts if text not in known]
        vectors, usage = self._vectors_of(missing, "text-matching") if missing else ((), Usage())
        made = dict(zip(missing, vectors, strict=True))
        self._vectors.update(made)
        return known | made, usage

    def _of_chunks(self, query: str, chunks: Sequence[str]) -> _Scores:
        asked, usage = self._vectors_of([query], "retrieval.query")
        vectors, cost, how = self._chunk_vectors(chunks)
        cosines = tuple(round(float(cosine), _DIGITS) for cosine in vectors @ asked[0])
        return _Scores((cosines,), usage + cost, how)

    def _chunk_vectors(self, chunks: Sequence[str]) -> tuple[FloatArray, Usage, str]:
        if self._embeds_late:
            try:
                vectors, usage = self._vectors_of(chunks, "retrieval.passage", late_chunking=True)
            except ConfigError:  # of this model, or as it runs, which no other way tells
                self._embeds_late = False
            else:
                return vectors, usage, "late chunking"
        return *self._vectors_of(chunks, "retrieval.passage"), "each chunk alone"

    def _vectors_of(self, texts: Sequence[str], task: str, *, late_chunking: bool = False) -> tuple[FloatArray, Usage]:
        """Unit vectors, shape [len(texts), dimensions].

        Raises:
            BackendError: the embedder gave something else than finite vectors.
        """
        import numpy as np

        from jina_components.core.vectors import normalize

        usage = Usage()
        if self._tells_usage:
            embedder = cast("_Embeds", self._embedder)
            embeddings = embedder.embed(texts, task=task, truncate=True, late_chunking=late_chunking)
            vectors, usage = embeddings.vectors, embeddings.usage
        else:
            plain = cast("SupportsEmbed", self._embedder)
            is_query = task == "retrieval.query"
            vectors = (
                np.stack([plain.embed_query(text) for text in texts]) if is_query else plain.embed_documents(texts)
            )
        rows = np.asarray(vectors, np.float32)
        if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
            raise BackendError(f"{self._embedder!r} gave {rows.shape} for {len(texts)} texts, or what is not finite.")
        return normalize(rows), usage


def in_context(document: Document) -> str:
    """A document under its title and headings, which name what it speaks of."""
    above = (document.metadata.get(name) for name in ("title", "heading"))
    return "\n".join([*(text for text in above if isinstance(text, str) and text), document.text])


def _reranked(reranker: SupportsRerank, query: str, texts: Sequence[str]) -> _Scores:
    ranking = reranker.rerank(query, texts, truncate=True)
    scores: list[float | None] = [None] * len(texts)
    for hit in ranking:
        scores[hit.index or 0] = float(hit.score)
    if not all(score is None or math.isfinite(score) for score in scores):
        raise BackendError(f"{reranker!r} gave scores that are not finite.")
    # What could not be ranked comes last.
    least = min((score for score in scores if score is not None), default=0.0)
    return _Scores((tuple(min(least, 0.0) if score is None else score for score in scores),), ranking.usage)


def _by_words(query: str, texts: Sequence[str]) -> list[float]:
    """Share of the query's words that each text has, the rare ones counting most, 0 to 1."""
    *scores, most = Overlap([*texts, query]).scores(query)
    return [min(score / most, 1.0) if most else 0.0 for score in scores]


def _jaccard(left: Sequence[str], right: Sequence[str]) -> list[list[float]]:
    others = [frozenset(terms(text)) for text in right]
    return [
        [len(words & other) / len(words | other) if words | other else 0.0 for other in others]
        for words in (frozenset(terms(text)) for text in left)
    ]


def _filled(length: int, places: Sequence[int], scores: Sequence[float]) -> list[float]:
    filled = [0.0] * length
    for place, score in zip(places, scores, strict=True):
        filled[place] = score
    return filled


def shortened(query: str) -> str:
    """A query as models and sources get to see it: without blanks around it, cut to 1,200 bytes of UTF-8."""
    return query.strip().encode("utf-8", "replace")[:_MAX_QUERY].decode("utf-8", "ignore")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _digest(texts: Sequence[str]) -> str:
    digest = blake2b(digest_size=16)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _takes(part: object, method: str, parameter: str) -> bool:
    """Whether a part has a method with a parameter of this name."""
    function = getattr(part, method, None)
    return callable(function) and parameter in inspect.signature(function).parameters
