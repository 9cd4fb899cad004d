"""The default store keeps the contract of stores."""

from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import check_store


def test_in_memory():
    check_store(FaissStore)


def test_in_a_directory(tmp_path):
    names = iter(range(100))
    check_store(lambda: FaissStore(tmp_path / str(next(names))), reopen=lambda store: FaissStore(store.directory))
