"""Documents, vectors and words in Qdrant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.component import Component
from jina_components.errors import ConfigError
from jina_components.filters import Filter
from jina_components.protocols import Hits, Key, RankingKind
from jina_components.retriever.bm25.analysis import Analyzer
from jina_components.retriever.stores import common
from jina_components.retriever.stores.qdrant import layout
from jina_components.retriever.stores.qdrant.connection import Connection
from jina_components.retriever.stores.sparse import Candidate, CountedStatistics, best_by_bm25
from jina_components.types import Document

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

    from jina_components.types import FloatArray

_COLLECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,199}")
_PAGE = 1_000


class QdrantStore(Component):
    """A `Store` in Qdrant: a server, or its Python imitation in this process (`pip install 'jina-components[qdrant]'`).

    Documents are the points of the collection, which is made at the first `put`, beside `{collection}_notes`. A point's
    id, the store's key, follows from the document's id: putting a document again changes nothing. A `put` is sent in
    requests of some 8 MB, each written by the server as a whole; after a crash in the middle some are there, and
    putting the same again completes it.

    Cosines come from Qdrant's HNSW index, approximate unless `exact`, and so does MaxSim. BM25 is exact (`sparse`),
    with statistics that follow this object's writes at once, and those of others within `refresh` seconds. Filters are
    answered by payload indexes.

    Args:
        location: A server's URL, a folder for the imitation, or `:memory:`.
        collection: Name of the collection of documents.
        api_key: For a server that wants one.
        exact: Compare with every vector instead of searching the index.
        stemming: Language whose words BM25 reduces to their stems, as `english`; None for none, or what the collection
            was made with.
        refresh: Seconds after which the statistics of BM25 are counted again.
        timeout: Seconds for a request.

    Raises:
        ConfigError: the collection's name is not made of ASCII letters, digits, `_` and `-`.
        UnknownNameError: no stemmer for this language.
        IndexMismatchError: later, from `put` and `search_lexical`: the collection was made with another `stemming`.
    """

    def __init__(
        self,
        location: str,
        *,
        collection: str,
        api_key: str | None = None,
        exact: bool = False,
        stemming: str | None = None,
        refresh: float = 10.0,
        timeout: int = 30,
    ) -> None:
        if not _COLLECTION.fullmatch(collection):
            raise ConfigError(f"collection must be ASCII letters, digits, _ and -, up to 200, got {collection!r}.")
        self._collection, self._notes = collection, f"{collection}_notes"
        self._exact = exact
        self._stemming = Analyzer(stemming=stemming).stemming
        self._refresh = refresh
        self._connection = Connection(location, api_key=api_key, timeout=timeout)
        self._made: layout.Layout | None = None
        self._statistics: CountedStatistics | None = None
        self._agreed: Analyzer | None = None
        self._indexed: set[str] = set()

    def __repr__(self) -> str:
        return f"QdrantStore({self._connection.address!r}, collection={self._collection!r})"

    @property
    def rankings(self) -> frozenset[RankingKind]:
        """All three."""
        return frozenset({"dense", "lexical", "multi_vector"})

    def put(
        self,
        documents: Sequence[Document],
        vectors: FloatArray | None,
        token_vectors: Sequence[FloatArray] | None = None,
    ) -> None:
        """Add documents of different ids, replacing those of the same id.

        Raises:
            InputError: vectors of another width than those held, or none where those held have some.
            IndexFilesError: the server cannot be reached or written to.
        """
        matrix = common.check_documents(documents, vectors, token_vectors)
        if not documents:
            return
        wanted = layout.Layout(None if matrix is None else matrix.shape[1], layout.token_width(token_vectors))
        with self._connection.client() as client:
            made = self._layout(client)
            if made is None:
                self.set_note(common.STEMMING_NOTE, self._stemming or "")
                is_server = self._connection.is_server
                made = self._made = layout.create_documents(client, self._collection, wanted, is_server=is_server)
            common.check_width(wanted.width, made.width)
            if wanted.token_width is not None:
                common.check_width(wanted.token_width, made.token_width, "token vectors")
            points = self._points(documents, matrix, token_vectors)
            try:
                for batch in layout.batches(points):
                    self._index_bounds(client, batch)
                    client.upsert(self._collection, batch, wait=True)
            finally:
                self._statistics = None

    def delete(self, ids: Sequence[str] | None = None, *, filter: Filter | None = None) -> int:
        """Delete documents by id, or those that match; how many were there.

        Raises:
            InputError: neither or both are given.
        """
        common.require_choice(ids, filter)
        with self._connection.client() as client:
            from qdrant_client import models

            if self._layout(client) is None:
                return 0
            selector: models.PointsSelector
            if ids is not None:
                found = [point.id for point in self._retrieve(list(dict.fromkeys(common.keys_of(ids))), [])]
                number, selector = len(found), models.PointIdsList(points=found)
            else:
                chosen = layout.filter_of(filter) or models.Filter(must=[])
                number = client.count(self._collection, count_filter=chosen, exact=True).count
                selector = models.FilterSelector(filter=chosen)
            if number:
                client.delete(self._collection, selector, wait=True)
                self._statistics = None
        return number

    def search_dense(self, vectors: FloatArray, k: int, filter: Filter | None = None) -> list[Hits]:
        """For each of the unit vectors, shape [n, dimensions], the `k` documents of the highest cosine.

        Raises:
            InputError: vectors of another width than those held, or not finite.
        """
        with self._connection.client() as client:
            made = self._layout(client)
            if made is None or made.width is None or k < 1:
                return [[] for _ in vectors]
            queries = common.check_queries(vectors, made.width)
            return self._search(client, "dense", [query.tolist() for query in queries], k, filter)

    def search_lexical(self, queries: Sequence[str], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query the `k` documents of the highest BM25, of those that share a term with it."""
        with self._connection.client() as client:
            if self._layout(client) is None:
                return [[] for _ in queries]
            chosen, statistics, analyzer = layout.filter_of(filter), self._counted(), self._analyzer()

            def candidates(weights: Mapping[int, float], number: int) -> list[Candidate]:
                return self._candidates(client, weights, number, chosen)

            return [best_by_bm25(analyzer.terms(query), k, statistics, candidates) for query in queries]

    def search_multi_vector(self, queries: Sequence[FloatArray], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query, a matrix of unit vectors, the `k` documents of the highest MaxSim.

        Raises:
            InputError: vectors of another width than those held, or not finite.
        """
        with self._connection.client() as client:
            made = self._layout(client)
            if made is None or made.token_width is None or k < 1:
                return [[] for _ in queries]
            matrices = [common.check_queries(query, made.token_width).tolist() for query in queries]
            return self._search(client, "tokens", matrices, k, filter)

    def get(self, keys: Sequence[Key]) -> list[Document | None]:
        """The documents of keys that a search gave, in their order; None for one deleted since."""
        found = {str(point.id): (point.payload or {})["document"] for point in self._retrieve(keys, ["document"])}
        return [common.from_json(found[str(key)]) if str(key) in found else None for key in keys]

    def get_vectors(self, keys: Sequence[Key]) -> FloatArray:
        """Their unit vectors, shape [len(keys), dimensions]; zeros for one deleted since."""
        with self._connection.client() as client:
            made = self._layout(client)
        if made is None or made.width is None:
            return np.zeros((len(keys), 0), np.float32)
        found: dict[str, Any] = {str(point.id): point.vector for point in self._retrieve(keys, [], ["dense"])}
        zeros = {"dense": np.zeros(made.width, np.float32)}
        rows = [np.asarray(found.get(str(key), zeros)["dense"], np.float32) for key in keys]
        return np.array(rows, np.float32).reshape(len(keys), made.width)

    def scan(self, *, filter: Filter | None = None) -> Iterator[Document]:
        """The documents that match, in the order of their keys; each page of them as it is when it is asked for."""
        offset: Any = None
        while True:
            with self._connection.client() as client:
                if self._layout(client) is None:
                    return
                page, offset = client.scroll(
                    self._collection,
                    scroll_filter=layout.filter_of(filter),
                    limit=_PAGE,
                    offset=offset,
                    with_payload=["document"],
                )
            for point in page:
                yield common.from_json((point.payload or {})["document"])
            if offset is None:
                return

    def count(self, *, filter: Filter | None = None) -> int:
        """How many documents match."""
        with self._connection.client() as client:
            if self._layout(client) is None:
                return 0
            return client.count(self._collection, count_filter=layout.filter_of(filter), exact=True).count

    def keys_of(self, ids: Sequence[str]) -> list[Key | None]:
        """Its own names of documents, in order; None for one that it does not hold."""
        keys = common.keys_of(ids)
        return common.known(keys, {str(point.id) for point in self._retrieve(keys, [])})

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        with self._connection.client() as client:
            if not client.collection_exists(self._notes):
                return None
            found = client.retrieve(self._notes, [common.key_of(name)])
        return (found[0].payload or {})["text"] if found else None

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text beside the documents."""
        with self._connection.client() as client:
            layout.make(client, self._notes, lambda: client.create_collection(self._notes, vectors_config={}))
            client.upsert(self._notes, [layout.note(name, text)], wait=True)

    def close(self) -> None:
        """Close the connection; the next call opens it again. What was in memory alone is gone."""
        self._connection.close()
        self._made = self._statistics = self._agreed = None
        self._indexed.clear()

    def _layout(self, client: QdrantClient) -> layout.Layout | None:
        """What the collection was made for, which stays so; None before the first `put`."""
        if self._made is None:
            self._made = layout.layout_of(client, self._collection)
        return self._made

    def _analyzer(self) -> Analyzer:
        """Of the documents held."""
        if self._agreed is None:
            noted = self.get_note(common.STEMMING_NOTE) or None
            self._agreed = common.agreed_analyzer(self._stemming, noted, f"The collection {self._collection}")
        return self._agreed

    def _points(
        self, documents: Sequence[Document], matrix: FloatArray | None, token_vectors: Sequence[FloatArray] | None
    ) -> Iterator[models.PointStruct]:
        analyzer = self._analyzer()  # which refuses before anything is written
        return (
            layout.point(
                document,
                analyzer.terms(document.text),
                None if matrix is None else matrix[index],
                None if token_vectors is None else token_vectors[index],
            )
            for index, document in enumerate(documents)
        )

    def _index_bounds(self, client: QdrantClient, points: Sequence[models.PointStruct]) -> None:
        """Let the server index numbers of metadata that this object has not met before."""
        from qdrant_client import models

        if not self._connection.is_server:  # which the imitation has no use for
            return
        met = {key for point in points for key in (point.payload or {})["bounds"]}
        for key in sorted(met - self._indexed):
            client.create_payload_index(self._collection, f"bounds.{key}", models.PayloadSchemaType.FLOAT, wait=True)
            self._indexed.add(key)

    def _search(
        self, client: QdrantClient, using: str, queries: Sequence[Any], k: int, filter: Filter | None
    ) -> list[Hits]:
        from qdrant_client import models

        chosen, parameters = layout.filter_of(filter), models.SearchParams(exact=self._exact)
        requests = [
            models.QueryRequest(query=query, using=using, limit=k, filter=chosen, params=parameters)
            for query in queries
        ]
        answers = client.query_batch_points(self._collection, requests) if requests else []
        return [[(str(point.id), point.score) for point in answer.points] for answer in answers]

    def _candidates(
        self, client: QdrantClient, weights: Mapping[int, float], number: int, chosen: models.Filter | None
    ) -> list[Candidate]:
        from qdrant_client import models

        query = models.SparseVector(indices=list(weights), values=list(weights.values()))
        found = client.query_points(
            self._collection, query=query, using="lexical", limit=number, query_filter=chosen,
            with_vectors=["lexical"], with_payload=False,
        ).points  # fmt: skip
        sparse: list[Any] = [point.vector for point in found]
        vectors = [dict(zip(of["lexical"].indices, of["lexical"].values, strict=True)) for of in sparse]
        return [(str(point.id), point.score, vector) for point, vector in zip(found, vectors, strict=True)]

    def _counted(self) -> CountedStatistics:
        """What is known of all documents, counted again after `refresh` seconds."""
        known = self._statistics
        if known is None or known.age > self._refresh:
            known = self._statistics = CountedStatistics(self._count_number)
        return known

    def _count_number(self, number: int | None) -> int:
        with self._connection.client() as client:
            chosen = None if number is None else layout.has_number(number)
            return client.count(self._collection, count_filter=chosen, exact=True).count

    def _retrieve(
        self, keys: Sequence[Key], payload: list[str], vectors: list[str] | None = None
    ) -> list[models.Record]:
        with self._connection.client() as client:
            if not keys or self._layout(client) is None:
                return []
            return client.retrieve(
                self._collection, list(keys), with_payload=payload or False, with_vectors=vectors or False
            )
