"""Documents, vectors and words in PostgreSQL."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np

from jina_components.core.component import Component
from jina_components.errors import ConfigError, IndexFilesError
from jina_components.filters import Filter
from jina_components.protocols import Hits, Key, RankingKind
from jina_components.retriever.bm25.analysis import Analyzer
from jina_components.retriever.stores import common
from jina_components.retriever.stores.pgvector import statements
from jina_components.retriever.stores.pgvector.connections import Connections
from jina_components.retriever.stores.shadow import expression, shadow
from jina_components.retriever.stores.sparse import term_number
from jina_components.types import Document

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composable, Composed

    from jina_components.types import FloatArray

_TABLE = re.compile(r"([A-Za-z_]\w{0,62}\.)?[A-Za-z_]\w{0,49}", re.ASCII)
_PAGE = 1_000  # documents of a scan fetched at once
_MAX_HNSW_WIDTH = 2_000  # of pgvector's index for float32
_MAX_EF_SEARCH = 1_000


@dataclass(frozen=True, slots=True)
class _State:
    width: int | None
    documents: int
    has_index: bool
    next_row: int
    stemming: str | None


class PgvectorStore(Component):
    """A `Store` in a PostgreSQL database with the extension pgvector (`pip install 'jina-components[pgvector]'`).

    Everything is in four tables: `{table}` (documents, vectors, metadata), `{table}_terms` (postings), `{table}_notes`
    and `{table}_state`; they are made at the first `put`, with the extension where the user may. A put or delete is one
    transaction: all or nothing, and durable when it returns. Writers of one table wait for each other, readers never.
    Keys are rows, which are never used again.

    Cosines are exact until there are `index_from` documents; then an HNSW index is built, in that `put`, and searches
    are approximate. A document costs ten times more to add to the index than to the table, and several times more than
    when the index is built over all at once: put many with `index_from=None`, and the last of them with another. BM25
    is exact: SQL over postings and statistics that each transaction keeps, in time that grows with the number of
    documents that have the query's terms.

    Args:
        dsn: The database: `postgresql://user:password@host:5432/database` or libpq's `host=… dbname=…`. In no message.
            Its `options` set what the server is to do otherwise: `options='-c maintenance_work_mem=2GB'` for the build
            of an index of many vectors, `-c statement_timeout=60s`.
        table: Name of the table of documents, with a schema and a dot before it or not.
        index_from: Documents from which the HNSW index pays; None to build none. Vectors wider than 2,000 have none.
        stemming: Language whose words BM25 reduces to their stems, as `english`; None for none, or what the table was
            made with.
        timeout: Seconds to wait for a connection.

    Raises:
        ConfigError: the table's name is not made of ASCII letters, digits and underscores, or is longer than 50.
        UnknownNameError: no stemmer for this language.
        IndexMismatchError: later, from `put` and `search_lexical`: the table was made with another `stemming`.
    """

    def __init__(
        self, dsn: str, *, table: str, index_from: int | None = 20_000, stemming: str | None = None, timeout: int = 10
    ) -> None:
        if not _TABLE.fullmatch(table):
            raise ConfigError(
                f"table must be up to 50 ASCII letters, digits and underscores, or schema.name, got {table!r}."
            )
        self._table = table
        self._index_from = index_from
        self._stemming = Analyzer(stemming=stemming).stemming
        self._connections = Connections(dsn, timeout=timeout)

    def __repr__(self) -> str:
        return f"PgvectorStore(table={self._table!r})"  # a dsn may hold a password anywhere

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
        """Add documents of different ids, replacing those of the same id: all of them or none.

        Raises:
            ConfigError: `token_vectors`, which it cannot rank by.
            InputError: vectors of another width than those held, or none where those held have some.
            IndexFilesError: the server cannot be reached or written to, or lacks the extension.
        """
        if token_vectors is not None:
            raise common.ranking_error("multi_vector", self.rankings)
        matrix = common.check_documents(documents, vectors, None)
        if not documents:
            return
        width = None if matrix is None else matrix.shape[1]
        with self._connections.transaction() as connection:
            state = self._locked_state(connection, width)
            common.check_width(width, state.width)
            self._delete(
                connection, "d.key = any(%(keys)s::uuid[])", {"keys": [common.key_of(d.id) for d in documents]}
            )
            self._insert(connection, documents, matrix, state)
            self._build_index(connection)

    def delete(self, ids: Sequence[str] | None = None, *, filter: Filter | None = None) -> int:
        """Delete documents by id, or those that match; how many were there.

        Raises:
            InputError: neither or both are given.
        """
        common.require_choice(ids, filter)
        with self._connections.transaction() as connection:
            if self._state(connection, lock=True) is None:
                return 0
            parameters: dict[str, Any] = {} if ids is None else {"keys": list(dict.fromkeys(common.keys_of(ids)))}
            return self._delete(
                connection, "true" if ids is None else "d.key = any(%(keys)s::uuid[])", parameters, filter
            )

    def search_dense(self, vectors: FloatArray, k: int, filter: Filter | None = None) -> list[Hits]:
        """For each of the unit vectors, shape [n, dimensions], the `k` documents of the highest cosine.

        Raises:
            InputError: vectors of another width than those held, or not finite.
        """
        with self._connections.transaction() as connection:
            state = self._state(connection)
            if state is None or state.width is None or not state.documents or k < 1:
                return [[] for _ in vectors]
            queries = common.check_queries(vectors, state.width)
            if state.has_index:
                self._tune_index(connection, k)
            return [self._dense(connection, _text(query), k, filter, state) for query in queries]

    def search_lexical(self, queries: Sequence[str], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query the `k` documents of the highest BM25, of those that share a term with it."""
        with self._connections.transaction() as connection:
            state = self._state(connection)
            if state is None or k < 1:
                return [[] for _ in queries]
            analyzer = self._analyzer(state)
            return [self._lexical(connection, analyzer.terms(query), k, filter) for query in queries]

    def search_multi_vector(
        self,
        queries: Sequence[FloatArray],  # noqa: ARG002
        k: int,  # noqa: ARG002
        filter: Filter | None = None,  # noqa: ARG002
    ) -> list[Hits]:
        """Raises ConfigError: pgvector has no MaxSim."""
        raise common.ranking_error("multi_vector", self.rankings)

    def get(self, keys: Sequence[Key]) -> list[Document | None]:
        """The documents of keys that a search gave, in their order; None for one deleted or replaced since."""
        with self._connections.transaction() as connection:
            found = dict(self._rows_of(connection, statements.GET, keys))
        return [common.from_json(found[key]) if key in found else None for key in keys]

    def get_vectors(self, keys: Sequence[Key]) -> FloatArray:
        """Their unit vectors, shape [len(keys), dimensions]; zeros for one deleted since."""
        with self._connections.transaction() as connection:
            state = self._state(connection)
            if state is None or state.width is None:
                return np.zeros((len(keys), 0), np.float32)
            found = dict(self._rows_of(connection, statements.GET_VECTORS, keys))
        vectors = np.zeros((len(keys), state.width), np.float32)
        for position, key in enumerate(keys):
            if key in found:
                vectors[position] = np.array(found[key][1:-1].split(","), np.float32)
        return vectors

    def scan(self, *, filter: Filter | None = None) -> Iterator[Document]:
        """The documents that match, in the order they were added; each page of them as it is when it is asked for."""
        after, page = -1, [(0, "")]
        while page:
            with self._connections.transaction() as connection:
                parameters = {"after": after, "page": _PAGE}
                page = self._filtered(connection, statements.SCAN, parameters, filter)
            for row, text in page:
                after = row
                yield common.from_json(text)

    def count(self, *, filter: Filter | None = None) -> int:
        """How many documents match."""
        with self._connections.transaction() as connection:
            state = self._state(connection)
            if state is None or filter is None:
                return 0 if state is None else state.documents
            return self._filtered(connection, statements.COUNT, {}, filter)[0][0]

    def keys_of(self, ids: Sequence[str]) -> list[Key | None]:
        """Its own names of documents, in order; None for one that it does not hold."""
        keys = common.keys_of(ids)
        with self._connections.transaction() as connection:
            rows = dict(self._rows_of(connection, statements.ROWS_OF, keys))
        return [rows.get(key) for key in keys]

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        with self._connections.transaction() as connection:
            if not self._has_table(connection, "notes"):
                return None
            found = connection.execute(self._sql(statements.GET_NOTE), (name,)).fetchone()
        return None if found is None else found[0]

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text beside the documents."""
        with self._connections.transaction() as connection:
            if not self._has_table(connection, "notes"):
                connection.execute(statements.LOCK_CREATION)
                connection.execute(self._sql(statements.CREATE_NOTES))
            connection.execute(self._sql(statements.SET_NOTE), (name, text))

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._connections.close()

    def _sql(self, text: LiteralString, **parts: Composable) -> Composed:
        """A statement with the names of the tables and these parts in their places."""
        from psycopg import sql

        return sql.SQL(text).format(**statements.names(self._table), **parts)

    def _has_table(self, connection: psycopg.Connection, part: str) -> bool:
        name = statements.names(self._table)[part].as_string(connection)
        found = connection.execute(statements.EXISTS, (name,)).fetchone()
        return found is not None and found[0]

    def _state(self, connection: psycopg.Connection, *, lock: bool = False) -> _State | None:
        """What the store knows of itself, None before the first document; with a lock, no other writer goes on."""
        if not self._has_table(connection, "state"):
            return None
        text: LiteralString = statements.LOCK_STATE if lock else statements.STATE
        found = connection.execute(self._sql(text)).fetchone()
        return None if found is None else _State(*found)

    def _locked_state(self, connection: psycopg.Connection, width: int | None) -> _State:
        """The locked state, after making the tables where they are missing."""
        state = self._state(connection, lock=True)
        if state is None:
            self._create(connection, width)
            state = self._state(connection, lock=True)
        if state is None:
            raise IndexFilesError(f"The table {self._table}_state is gone: another process has dropped it.")
        return state

    def _create(self, connection: psycopg.Connection, width: int | None) -> None:
        """Make the tables, unless another process makes them at this moment."""
        from psycopg import sql

        connection.execute(statements.LOCK_CREATION)
        # Whether a table is there is known for certain to what would make it alone: looking it up is cached.
        connection.execute(self._sql(statements.CREATE_STATE))
        if connection.execute(self._sql(statements.INSERT_STATE), (width, self._stemming)).fetchone() is None:
            return
        if width is not None:
            self._create_extension(connection)
        column = sql.SQL("") if width is None else sql.SQL(statements.VECTOR).format(width=sql.Literal(width))
        connection.execute(self._sql(statements.CREATE_DOCUMENTS, vector=column))
        connection.execute(self._sql(statements.CREATE_TOKENS_INDEX))
        connection.execute(self._sql(statements.CREATE_TERMS))

    def _create_extension(self, connection: psycopg.Connection) -> None:
        from psycopg import errors

        try:
            connection.execute(statements.CREATE_EXTENSION)
        except (errors.InsufficientPrivilege, errors.FeatureNotSupported, errors.UndefinedFile) as error:
            raise IndexFilesError(
                f"The database has not the extension pgvector, and the dsn's user cannot add it "
                f"({str(error).splitlines()[0]}). Install pgvector on the server, and let an administrator run "
                "CREATE EXTENSION vector in this database."
            ) from error

    def _analyzer(self, state: _State) -> Analyzer:
        return common.agreed_analyzer(self._stemming, state.stemming, f"The table {self._table}")

    def _insert(
        self, connection: psycopg.Connection, documents: Sequence[Document], matrix: FloatArray | None, state: _State
    ) -> None:
        from psycopg import sql

        first, analyzer = state.next_row, self._analyzer(state)
        counts = [Counter(map(term_number, analyzer.terms(document.text))) for document in documents]
        column = sql.SQL("" if matrix is None else ", vector")
        with connection.cursor() as cursor:
            with cursor.copy(self._sql(statements.COPY_DOCUMENTS, vector=column)) as copy:
                for index, (document, of_terms) in enumerate(zip(documents, counts, strict=True)):
                    flat = shadow(document.metadata)
                    fields = [first + index, common.key_of(document.id), common.to_json(document), of_terms.total()]
                    fields += [list(of_terms), flat.tokens, json.dumps(flat.bounds)]
                    copy.write_row(fields if matrix is None else [*fields, _text(matrix[index])])
            with cursor.copy(self._sql(statements.COPY_TERMS)) as copy:
                for row, of_terms in enumerate(counts, first):
                    for term, count in of_terms.items():
                        copy.write_row((term, row, count, of_terms.total()))
        length = sum(of_terms.total() for of_terms in counts)
        connection.execute(self._sql(statements.UPDATE_STATE), (len(documents), length, len(documents)))

    def _delete(
        self,
        connection: psycopg.Connection,
        where: LiteralString,
        parameters: dict[str, Any],
        filter: Filter | None = None,
    ) -> int:
        """Delete what meets both; the state is locked."""
        from psycopg import sql

        chosen = statements.condition(None if filter is None else expression(filter), parameters)
        text = self._sql(statements.DELETE, where=sql.SQL("{} and {}").format(sql.SQL(where), chosen))
        found = connection.execute(text, parameters).fetchone()
        number, length = found or (0, 0)
        connection.execute(self._sql(statements.UPDATE_STATE), (-number, -length, 0))
        return int(number)

    def _filtered(
        self, connection: psycopg.Connection, text: LiteralString, parameters: dict[str, Any], filter: Filter | None
    ) -> list[tuple[Any, ...]]:
        """Rows of a statement with a filter; none before the first document."""
        if not self._has_table(connection, "state"):
            return []
        where = statements.condition(None if filter is None else expression(filter), parameters)
        return connection.execute(self._sql(text, where=where), parameters).fetchall()

    def _rows_of(
        self, connection: psycopg.Connection, text: LiteralString, keys: Sequence[Key]
    ) -> list[tuple[Any, ...]]:
        if not self._has_table(connection, "state"):
            return []
        return connection.execute(self._sql(text), (list(keys),)).fetchall()

    def _dense(self, connection: psycopg.Connection, query: str, k: int, filter: Filter | None, state: _State) -> Hits:
        if state.has_index:
            rows = self._filtered(connection, statements.DENSE, {"query": query, "k": k}, filter)
            if len(rows) >= min(k, state.documents):
                return rows
        # There is no index, or it has met too few documents that match: look at all of those that do.
        return self._filtered(connection, statements.DENSE_EXACT, {"query": query, "k": k}, filter)

    def _lexical(self, connection: psycopg.Connection, terms: Sequence[str], k: int, filter: Filter | None) -> Hits:
        from psycopg import sql

        counts = Counter(map(term_number, terms))
        parameters: dict[str, Any] = {"terms": list(counts), "counts": list(counts.values()), "k": k}
        where = sql.SQL("true").format()
        if filter is not None:
            where = self._sql(statements.OF_MATCHING, where=statements.condition(expression(filter), parameters))
        return connection.execute(self._sql(statements.LEXICAL, where=where), parameters).fetchall()

    def _tune_index(self, connection: psycopg.Connection, k: int) -> None:
        """Let the index look far enough for `k` documents, and on where a filter passes few."""
        connection.execute(statements.SETTING, ("hnsw.ef_search", str(min(max(100, 2 * k), _MAX_EF_SEARCH))))
        found = connection.execute(statements.EXTENSION_VERSION).fetchone()
        if found and tuple(map(int, found[0].split(".")[:2])) >= (0, 8):
            connection.execute(statements.SETTING, ("hnsw.iterative_scan", "strict_order"))

    def _build_index(self, connection: psycopg.Connection) -> None:
        """Build the HNSW index when there are enough documents; the state is locked."""
        state = self._state(connection)
        if state is None or state.width is None or state.has_index or self._index_from is None:
            return
        if state.documents >= self._index_from and state.width <= _MAX_HNSW_WIDTH:
            connection.execute(self._sql(statements.CREATE_HNSW))
            connection.execute(self._sql(statements.SET_HAS_INDEX))


def _text(vector: FloatArray) -> str:
    """A vector as pgvector reads it."""
    return f"[{','.join(map(str, vector.tolist()))}]"
