"""How stores call themselves: short, and without passwords."""

import pytest

from jina_components.errors import ConfigError, IndexFilesError
from jina_components.retriever.stores.milvus import MilvusStore
from jina_components.retriever.stores.pgvector import PgvectorStore
from jina_components.retriever.stores.qdrant import QdrantStore


@pytest.mark.parametrize(
    ("store", "name"),
    [
        (QdrantStore("http://me:secret@host:6333/x", collection="docs"), "('http://host:6333/x', collection='docs')"),
        (QdrantStore(":memory:", collection="docs"), "(':memory:', collection='docs')"),
        (
            MilvusStore("https://me:sec@ret@host", collection="docs", token="secret"),
            "('https://host', collection='docs')",
        ),
        (MilvusStore("a/b.db", collection="docs"), "('a/b.db', collection='docs')"),
        (PgvectorStore("postgresql://me:secret@host/db", table="a.docs"), "(table='a.docs')"),
        (PgvectorStore("host=h password=secret", table="docs"), "(table='docs')"),
    ],
)
def test_a_store_names_itself(store, name):
    assert repr(store) == type(store).__name__ + name


def test_errors_show_no_password():
    with (
        QdrantStore("http://me:secret@127.0.0.1:1", collection="docs", timeout=1) as store,
        pytest.raises(IndexFilesError, match=r"Qdrant at http://127\.0\.0\.1:1") as caught,
    ):
        store.count()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "location", ["localhost:6333", "localhost", "10.0.0.7:6333", "qdrant.example.com:443/", "[::1]:6333"]
)
def test_a_server_without_its_scheme_is_no_folder(location, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="write 'http://"):
        QdrantStore(location, collection="docs")
    with QdrantStore("./docs:1", collection="docs") as store:
        assert store.count() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["docs:1"]
