"""The default store keeps the contract of stores."""

import pytest

from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import check_store, stores


@pytest.fixture(autouse=True)
def tokens_as_bytes(monkeypatch):
    """Vectors of tokens are kept as int8, which MaxSim shows."""
    monkeypatch.setitem(stores._TOLERANCES, "multi_vector", 0.01)


def test_in_memory():
    check_store(FaissStore)


def test_in_a_directory(tmp_path):
    names = iter(range(100))
    check_store(lambda: FaissStore(tmp_path / str(next(names))), reopen=lambda store: FaissStore(store.directory))
