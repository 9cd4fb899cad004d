"""From queries to rankings: search, fuse, narrow, rerank, cut, group, diversify, expand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from jina_components.errors import ConfigError, InputError
from jina_components.protocols import Hits, Key, RankingKind, Store, SupportsEmbed, SupportsRerank, SupportsSegment
from jina_components.retriever.candidates import Candidate
from jina_components.retriever.diversity import most_marginal, scaled
from jina_components.retriever.encoding import Encoder
from jina_components.retriever.fusion import Fusion
from jina_components.retriever.late import SupportsLateChunking, narrowed
from jina_components.retriever.parents import Family, expanded, families
from jina_components.retriever.request import Request
from jina_components.retriever.reranking import reranked
from jina_components.types import Document, DocumentFailure, Ranking, StageScore, Usage

if TYPE_CHECKING:
    from jina_components.types import FloatArray


@dataclass(frozen=True, slots=True)
class Found:
    """What the store found for a query.

    Attributes:
        hits: Best first, with the scores of the fusion or of the only ranking.
        said: What each ranking and the fusion said: stage, hits, and where each key is in these.
    """

    hits: Hits
    said: Sequence[tuple[str, Hits, Mapping[Key, int]]]

    def candidate(self, key: Key, score: float, document: Document) -> Candidate:
        """A hit with its document."""
        why = tuple(
            StageScore(stage, hits[place][1], place + 1)
            for stage, hits, places in self.said
            if (place := places.get(key)) is not None
        )
        return Candidate(key, document, score, why)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts of a retriever at work; attributes as in `Retriever`."""

    store: Store
    encoder: Encoder
    embedder: SupportsEmbed | None
    reranker: SupportsRerank | None
    segmenter: SupportsSegment | None
    fusion: Fusion
    candidates: int
    rerank_top: int

    @property
    def kinds(self) -> frozenset[RankingKind]:
        """What it can rank by."""
        return frozenset(kind for kind in self.store.rankings if kind == "lexical" or kind in self.encoder.kinds)

    def run(self, queries: Sequence[str], request: Request) -> list[Ranking]:
        """One ranking a query.

        Raises:
            InputError: the store holds no documents.
            ConfigError: the request needs a part that is not there.
        """
        kinds = request.kinds(self.kinds)
        self._check(request)
        if not queries:
            return []
        vectors = self._vectors(queries, request, kinds)
        found = [self._fused(rankings) for rankings in self._search(queries, vectors, request, kinds)]
        if not any(each.hits for each in found) and not self.store.count():
            raise InputError("This retriever holds no documents: call add() first, or open() an index that has some.")
        pools = self._documents(found, request)
        return [
            self._finish(query, None if vectors is None else vectors[row], pools[row], request)
            for row, query in enumerate(queries)
        ]

    def _check(self, request: Request) -> None:
        """Refuse what needs a part that is not there, before anything is embedded."""
        if request.rerank and self.reranker is None:
            raise ConfigError("rerank=True needs a reranker: pass Retriever(…, reranker=Reranker()).")
        if request.diversity and "dense" not in self.kinds:
            raise ConfigError("diversity compares the documents' vectors: it needs an embedder and a store of vectors.")
        if request.late_chunking and (self.segmenter is None or not isinstance(self.embedder, SupportsLateChunking)):
            raise ConfigError(
                "late_chunking=True needs a segmenter (Retriever(…, segmenter=Segmenter())) "
                f"and an embedder that can, got {self.segmenter!r} and {self.embedder!r}."
            )

    def _vectors(self, queries: Sequence[str], request: Request, kinds: Sequence[RankingKind]) -> FloatArray | None:
        if request.mode in kinds:
            self.encoder.check(self.store, frozenset(kinds))
        else:  # no ranking is named: the models that were given must be of use
            self.encoder.check(self.store, self.encoder.kinds)
            if idle := self.encoder.kinds.difference(kinds):
                raise ConfigError(
                    f"{self.store!r} does not rank by {' or '.join(sorted(idle))}, for which this retriever has a "
                    f"model: leave it out, or name a mode of {', '.join(kinds)}."
                )
        return self.encoder.queries(queries) if "dense" in kinds or request.late_chunking else None

    def _search(
        self, queries: Sequence[str], vectors: FloatArray | None, request: Request, kinds: Sequence[RankingKind]
    ) -> list[dict[RankingKind, Hits]]:
        depth, chosen = max(self.candidates, request.top_k), request.filter
        searches: Mapping[RankingKind, Callable[[], list[Hits]]] = {
            "dense": lambda: self.store.search_dense(cast("FloatArray", vectors), depth, chosen),
            "lexical": lambda: self.store.search_lexical(queries, depth, chosen),
            "multi_vector": lambda: self.store.search_multi_vector(self.encoder.token_queries(queries), depth, chosen),
        }
        by_kind = {kind: searches[kind]() for kind in kinds}
        return [{kind: by_kind[kind][row] for kind in kinds} for row in range(len(queries))]

    def _fused(self, rankings: Mapping[RankingKind, Hits]) -> Found:
        stages: list[tuple[str, Hits]] = [*rankings.items()]
        if len(stages) > 1:
            stages.append(("fusion", self.fusion.fuse(rankings, depth=self.candidates)))
        return Found(stages[-1][1], [(stage, hits, _places(hits)) for stage, hits in stages])

    def _reranks(self, request: Request) -> bool:
        return self.reranker is not None if request.rerank is None else request.rerank

    def _documents(self, found: Sequence[Found], request: Request) -> list[list[Candidate]]:
        """The candidates that the later stages look at; one deleted since makes room for the next."""
        wanted = request.top_k
        if self._reranks(request):
            wanted = max(self.rerank_top, request.top_k)
        elif request.parents or request.diversity:
            wanted = max(self.candidates, request.top_k)
        least = None if self._reranks(request) else request.min_score
        waiting = [[hit for hit in each.hits if least is None or hit[1] >= least] for each in found]
        pools: list[list[Candidate]] = [[] for _ in found]
        while heads := {
            row: hits[: wanted - len(pools[row])]
            for row, hits in enumerate(waiting)
            if hits and len(pools[row]) < wanted
        }:
            keys = list(dict.fromkeys(key for hits in heads.values() for key, _ in hits))
            held = dict(zip(keys, self.store.get(keys), strict=True))
            for row, hits in heads.items():
                del waiting[row][: len(hits)]
                for key, score in hits:
                    if (document := held[key]) is not None:
                        pools[row].append(found[row].candidate(key, score, document))
        return pools

    def _finish(self, query: str, vector: FloatArray | None, pool: list[Candidate], request: Request) -> Ranking:
        usage, failures = Usage(), tuple[DocumentFailure, ...]()
        if request.late_chunking:
            embedder, segmenter = cast("SupportsLateChunking", self.embedder), cast("SupportsSegment", self.segmenter)
            pool, usage = narrowed(pool, cast("FloatArray", vector), embedder, segmenter)
        if self._reranks(request):
            pool, failures, cost = reranked(query, pool, cast("SupportsRerank", self.reranker))
            usage += cost
            pool = [one for one in pool if request.min_score is None or one.score >= request.min_score]
        groups = families(pool, request.parents) if request.parents else [Family(None, (one,)) for one in pool]
        groups = self._diverse(groups, request)[: request.top_k]
        chosen = [group.best for group in groups]
        if request.parents:
            chosen = expanded(groups, request.parents, self.store)
        return Ranking(tuple(one.as_hit() for one in chosen), usage, failures)

    def _diverse(self, groups: list[Family], request: Request) -> list[Family]:
        if not request.diversity or not groups:
            return groups
        relevance = scaled(np.array([group.best.score for group in groups], np.float32))
        vectors = self.store.get_vectors([group.best.key for group in groups])
        picked = most_marginal(relevance, vectors, request.top_k, diversity=request.diversity)
        return [groups[place].scored("diversity", score, rank) for rank, (place, score) in enumerate(picked, 1)]


def _places(hits: Hits) -> dict[Key, int]:
    return {hit[0]: place for place, hit in enumerate(hits)}
