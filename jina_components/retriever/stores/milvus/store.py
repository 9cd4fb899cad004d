"""Documents, vectors and words in Milvus."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.component import Component
from jina_components.errors import ConfigError
from jina_components.filters import Filter
from jina_components.protocols import Hits, Key, RankingKind
from jina_components.retriever.bm25.analysis import Analyzer
from jina_components.retriever.stores import common
from jina_components.retriever.stores.milvus import layout
from jina_components.retriever.stores.milvus.connection import Connection
from jina_components.retriever.stores.shadow import expression
from jina_components.retriever.stores.sparse import Candidate, CountedStatistics, best_by_bm25
from jina_components.types import Document

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, MilvusClient
    from pymilvus.milvus_client.index import IndexParams

    from jina_components.types import FloatArray

_COLLECTION = re.compile(r"[A-Za-z_]\w{0,199}", re.ASCII)
_BATCH = 150  # rows of a request, of which Milvus takes 64 MB: of the longest rows no more
_PAGE = 1_000


class MilvusStore(Component):
    """A `Store` in Milvus, or in Milvus Lite in this process (`pip install 'jina-components[milvus]'`).

    Documents are the rows of the collection, which is made at the first `put`, beside `{collection}_notes`. A row's key
    follows from the document's id: putting a document again changes nothing. A `put` is sent in batches of 150 rows,
    each upserted as a whole; after a crash in the middle some are there, and putting the same again completes it.
    Reads are strongly consistent. Milvus holds 65,535 bytes of a document, text and metadata together, which longer
    ones (some 150,000 letters of English) are compressed to, and gives 16,384 hits of a search.

    Cosines come from Milvus's own choice of index, approximate for many vectors. BM25 is exact (`sparse`) unless more
    than 16,384 documents compete for the last place, with statistics that follow this object's writes at once, and
    those of others within `refresh` seconds.

    Args:
        uri: A server's URL, or a path that ends in `.db` for Milvus Lite, which one process at a time can open.
        collection: Name of the collection of documents.
        token: `user:password` or an API key, for a server that wants one.
        stemming: Language whose words BM25 reduces to their stems, as `english`; None for none, or what the collection
            was made with.
        refresh: Seconds after which the statistics of BM25 are counted again.
        timeout: Seconds to wait for a connection and for a request, but for the loading of a collection.

    Raises:
        ConfigError: the collection's name is not made of ASCII letters, digits and underscores, or a path does not end
            in `.db`.
        UnknownNameError: no stemmer for this language.
        IndexMismatchError: later, from `put` and `search_lexical`: the collection was made with another `stemming`.
    """

    def __init__(
        self,
        uri: str,
        *,
        collection: str,
        token: str | None = None,
        stemming: str | None = None,
        refresh: float = 10.0,
        timeout: float = 30.0,
    ) -> None:
        if not _COLLECTION.fullmatch(collection):
            raise ConfigError(
                f"collection must be a name of up to 200 ASCII letters, digits and underscores, got {collection!r}."
            )
        if "://" not in uri and not uri.endswith(".db"):
            raise ConfigError(f"uri must be a URL, as http://localhost:19530, or a path that ends in .db, got {uri!r}.")
        self._collection, self._notes = collection, f"{collection}_notes"
        self._stemming = Analyzer(stemming=stemming).stemming
        self._refresh = refresh
        self._timeout = timeout
        self._connection = Connection(uri, token=token, timeout=timeout)
        self._making = threading.RLock()
        self._loaded: set[str] = set()
        self._widths: list[int | None] = []
        self._statistics: CountedStatistics | None = None
        self._agreed: Analyzer | None = None

    def __repr__(self) -> str:
        return f"MilvusStore({self._connection.address!r}, collection={self._collection!r})"

    @property
    def rankings(self) -> frozenset[RankingKind]:
        """Dense and lexical."""
        return frozenset({"dense", "lexical"})

    def put(
        self,
        documents: Sequence[Document],
        vectors: FloatArray | None,
        token_vectors: Sequence[FloatArray] | None = None,
    ) -> None:
        """Add documents of different ids, replacing those of the same id.

        Raises:
            ConfigError: `token_vectors`, which it cannot rank by.
            InputError: vectors of another width than those held, none where those held have some, or a document that
                is too long for Milvus.
            IndexFilesError: the server cannot be reached or written to.
        """
        if token_vectors is not None:
            raise common.ranking_error("multi_vector", self.rankings)
        matrix = common.check_documents(documents, vectors, None)
        if not documents:
            return
        width = None if matrix is None else matrix.shape[1]
        with self._connection.client() as client:
            analyzer = self._analyzer(client)
            rows = [layout.document_row(d, analyzer.terms(d.text), index) for index, d in enumerate(documents)]
            self._create(client, width)
            common.check_width(width, self._width(client))
            for row, vector in zip(rows, () if matrix is None else matrix, strict=matrix is not None):
                row["dense"] = vector
            try:
                for start in range(0, len(rows), _BATCH):
                    client.upsert(self._collection, rows[start : start + _BATCH], timeout=self._timeout)
            finally:
                self._statistics = None

    def delete(self, ids: Sequence[str] | None = None, *, filter: Filter | None = None) -> int:
        """Delete documents by id, or those that match; how many were there.

        Raises:
            InputError: neither or both are given.
        """
        common.require_choice(ids, filter)
        with self._connection.client() as client:
            if not self._has(client, self._collection):
                return 0
            if ids is None:
                return self._delete(client, _condition(filter))
            number, keys = 0, list(dict.fromkeys(common.keys_of(ids)))
            for start in range(0, len(keys), _PAGE):
                number += self._delete(client, layout.one_of(keys[start : start + _PAGE]))
            return number

    def search_dense(self, vectors: FloatArray, k: int, filter: Filter | None = None) -> list[Hits]:
        """For each of the unit vectors, shape [n, dimensions], the `k` documents of the highest cosine.

        Raises:
            InputError: vectors of another width than those held, or not finite.
        """
        with self._connection.client() as client:
            width = self._width(client) if self._has(client, self._collection) else None
            if width is None or k < 1 or not len(vectors):
                return [[] for _ in vectors]
            queries = list(common.check_queries(vectors, width))
            found = self._search(client, "dense", queries, k, _condition(filter))
        return [[(hit["key"], hit["distance"]) for hit in hits] for hits in found]

    def search_lexical(self, queries: Sequence[str], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query the `k` documents of the highest BM25, of those that share a term with it."""
        chosen = _condition(filter)
        with self._connection.client() as client:
            if not self._has(client, self._collection):
                return [[] for _ in queries]
            statistics, analyzer = self._counted(), self._analyzer(client)

            def candidates(weights: Mapping[int, float], number: int) -> list[Candidate]:
                (found,) = self._search(client, "lexical", [dict(weights)], number, chosen, output=["lexical"])
                return [(hit["key"], hit["distance"], hit["entity"]["lexical"]) for hit in found]

            return [
                best_by_bm25(analyzer.terms(query), k, statistics, candidates, most=layout.MOST) for query in queries
            ]

    def search_multi_vector(
        self,
        queries: Sequence[FloatArray],  # noqa: ARG002
        k: int,  # noqa: ARG002
        filter: Filter | None = None,  # noqa: ARG002
    ) -> list[Hits]:
        """Raises ConfigError: it has no MaxSim."""
        raise common.ranking_error("multi_vector", self.rankings)

    def get(self, keys: Sequence[Key]) -> list[Document | None]:
        """The documents of keys that a search gave, in their order; None for one deleted since."""
        with self._connection.client() as client:
            found = self._fields(client, keys, "document")
        return [layout.unpacked(found[key]) if key in found else None for key in keys]

    def get_vectors(self, keys: Sequence[Key]) -> FloatArray:
        """Their unit vectors, shape [len(keys), dimensions]; zeros for one deleted since."""
        with self._connection.client() as client:
            width = self._width(client) if self._has(client, self._collection) else None
            found = {} if width is None else self._fields(client, keys, "dense")
        vectors = np.zeros((len(keys), width or 0), np.float32)
        for position, key in enumerate(keys):
            if key in found:
                vectors[position] = found[key]
        return vectors

    def scan(self, *, filter: Filter | None = None) -> Iterator[Document]:
        """The documents that match, in the order of their keys."""
        with self._connection.client() as client:
            if not self._has(client, self._collection):
                return
            pages = client.query_iterator(
                self._collection, filter=_condition(filter), batch_size=_PAGE, output_fields=["document"],
                consistency_level="Strong", timeout=self._timeout,
            )  # fmt: skip
        page: list[Any] = [None]
        try:
            while page:
                with self._connection.client():
                    page = pages.next()
                yield from (layout.unpacked(row["document"]) for row in page)
        finally:
            pages.close()

    def count(self, *, filter: Filter | None = None) -> int:
        """How many documents match."""
        with self._connection.client() as client:
            return self._count(client, _condition(filter)) if self._has(client, self._collection) else 0

    def keys_of(self, ids: Sequence[str]) -> list[Key | None]:
        """Its own names of documents, in order; None for one that it does not hold."""
        keys = common.keys_of(ids)
        with self._connection.client() as client:
            return common.known(keys, self._fields(client, keys, "key"))

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        with self._connection.client() as client:
            if not self._has(client, self._notes):
                return None
            found = self._query(client, self._notes, "text", ids=[common.key_of(name)])
        return found[0]["text"] if found else None

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text beside the documents.

        Raises:
            InputError: it has more than 65,535 bytes.
        """
        row = layout.note_row(name, text)
        with self._connection.client() as client:
            self._make(client, self._notes, layout.notes_schema(client), layout.notes_indexes(client))
            client.upsert(self._notes, [row], timeout=self._timeout)

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        self._connection.close()
        self._loaded.clear()
        self._widths = []
        self._statistics = self._agreed = None

    def _has(self, client: MilvusClient, name: str) -> bool:
        """Whether the collection is there; if so, it is loaded."""
        if name not in self._loaded and client.has_collection(name, timeout=self._timeout):
            client.load_collection(name)
            self._loaded.add(name)
        return name in self._loaded

    def _analyzer(self, client: MilvusClient) -> Analyzer:
        """Of the documents held."""
        if self._agreed is None:
            if not self._has(client, self._collection):
                return Analyzer(stemming=self._stemming)
            noted = self.get_note(common.STEMMING_NOTE) or None
            self._agreed = common.agreed_analyzer(self._stemming, noted, f"The collection {self._collection}")
        return self._agreed

    def _create(self, client: MilvusClient, width: int | None) -> None:
        """Make the collection where it is missing, after the note of how it is made."""
        with self._making:
            if not self._has(client, self._collection):
                self.set_note(common.STEMMING_NOTE, self._stemming or "")
                indexes = layout.documents_indexes(client, width, is_lite=self._connection.is_lite)
                self._make(client, self._collection, layout.documents_schema(client, width), indexes)

    def _make(self, client: MilvusClient, name: str, schema: CollectionSchema, indexes: IndexParams) -> None:
        """Make a collection, unless it is there or another process makes it at this moment."""
        from pymilvus.exceptions import MilvusException

        with self._making:
            if self._has(client, name):
                return
            try:
                client.create_collection(
                    name, schema=schema, index_params=indexes, timeout=self._timeout, consistency_level="Strong"
                )
            except MilvusException:
                if not self._has(client, name):
                    raise
            self._loaded.add(name)

    def _width(self, client: MilvusClient) -> int | None:
        """The width that the collection was made for, which stays so; None where it has no vectors."""
        if not self._widths:
            fields = client.describe_collection(self._collection, timeout=self._timeout)["fields"]
            self._widths = [int(field["params"]["dim"]) for field in fields if field["name"] == "dense"] or [None]
        return self._widths[0]

    def _delete(self, client: MilvusClient, chosen: str) -> int:
        number = self._count(client, chosen)
        if number:
            client.delete(self._collection, filter=chosen, timeout=self._timeout)
            self._statistics = None
        return number

    def _search(
        self,
        client: MilvusClient,
        field: str,
        queries: list[Any],
        k: int,
        chosen: str,
        *,
        output: Sequence[str] = ("key",),
    ) -> list[Any]:
        found = client.search(
            self._collection, data=queries, anns_field=field, limit=min(k, layout.MOST), filter=chosen,
            output_fields=list(output), search_params={"metric_type": "IP"}, consistency_level="Strong",
            timeout=self._timeout,
        )  # fmt: skip
        return list(found)

    def _fields(self, client: MilvusClient, keys: Sequence[Key], field: str) -> dict[Key, Any]:
        """A field by key, of those that are there."""
        if not self._has(client, self._collection):
            return {}
        found: dict[Key, Any] = {}
        for start in range(0, len(keys), _PAGE):
            part = list(keys[start : start + _PAGE])
            rows = self._query(client, self._collection, "key", field, ids=part)
            found |= {row["key"]: row[field] for row in rows}
        return found

    def _counted(self) -> CountedStatistics:
        """What is known of all documents, counted again after `refresh` seconds."""
        known = self._statistics
        if known is None or known.age > self._refresh:
            known = self._statistics = CountedStatistics(self._count_number)
        return known

    def _count_number(self, number: int | None) -> int:
        with self._connection.client() as client:
            return self._count(client, "" if number is None else layout.has_number(number))

    def _count(self, client: MilvusClient, chosen: str) -> int:
        return int(self._query(client, self._collection, "count(*)", chosen=chosen)[0]["count(*)"])

    def _query(
        self, client: MilvusClient, name: str, *fields: str, chosen: str = "", ids: list[Key] | None = None
    ) -> list[dict[str, Any]]:
        """Rows of a collection, of these keys or as chosen by an expression."""
        rows = client.query(
            name, filter=chosen, ids=ids, output_fields=list(fields), timeout=self._timeout, consistency_level="Strong"
        )
        return list(rows)


def _condition(filter: Filter | None) -> str:
    return "" if filter is None else layout.condition(expression(filter))
