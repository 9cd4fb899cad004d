"""Our embeddings in the vector stores of the documentation's table."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "vector_stores", Path(__file__).parents[2] / "docs/vector_stores.py"
)  # fmt: skip
assert _SPEC
assert _SPEC.loader
_TABLE = sys.modules["vector_stores"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_TABLE)
STORES = {store.name: store for store in _TABLE.STORES}


def test_all_that_users_name_are_there():
    assert {name.split()[0] for name in STORES} == {
        "MongoDB", "DataStax", "Qdrant", "Pinecone", "Chroma", "Weaviate", "Milvus", "Epsilla", "MyScale", "TiDB",
        "LanceDB", "DashVector", "Elasticsearch",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name, store in STORES.items() if store.tested])
@pytest.mark.filterwarnings("default")  # of others' packages
def test_what_runs_in_this_process_finds_the_right_text(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("JINA_API_KEY", "JINA_AUTH_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(STORES[name].code, name, "exec"), {})
    assert printed.getvalue() == "The moon pulls the water of the sea.\n"


@pytest.mark.parametrize("name", STORES)
def test_all_fill_a_store_and_ask_it(name):
    code = STORES[name].code
    compile(code, name, "exec")
    assert "Why are there tides?" in code
    assert "Embedder()" in code or "JinaEmbeddings()" in code or "JinaEmbeddingFunction()" in code
