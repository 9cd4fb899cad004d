"""What `find_files` knows of a model from the catalog, and what of the catalog is on this machine."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hub_server import COMMIT
from test_models_files import MODEL, cache_snapshot, content

from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.models.files import bundled_path, find_files, find_spec, on_disk
from jina_components.models.spec import ModelSpec


def test_a_folder_called_as_a_hub_model_of_the_catalog(tmp_path, monkeypatch, caplog):
    spec = BY_NAME["jina-embeddings-v2-base-en"]
    folder = tmp_path / spec.name
    folder.mkdir()
    with caplog.at_level(logging.INFO, "jina_components"):
        for name in (str(folder), f"{folder}/"):
            assert find_files(name).folder == folder
            assert find_files(name).spec is find_spec(name) is spec
    assert f"{folder}: taken for {spec.name} of the catalog, by the folder's name" in caplog.text
    monkeypatch.chdir(folder)
    assert find_files(".").spec is spec


@pytest.mark.parametrize("name", ["my-model", DEFAULT_EMBEDDER, DEFAULT_RERANKER])
def test_a_folder_of_another_name_has_no_row(tmp_path, name):
    (tmp_path / name).mkdir()
    assert find_files(str(tmp_path / name)).spec is find_spec(str(tmp_path / name)) is None


def test_the_row_of_a_name():
    spec = BY_NAME["jina-embeddings-v3"]
    assert find_spec("jina-embeddings-v3") is find_spec("jinaai/jina-embeddings-v3") is spec
    assert find_spec("somebody/jina-embeddings-v3") is None
    assert find_spec("/no/such/jina-embeddings-v3") is None


WARN = """
import sys
from jina_components.models.files import find_files
for name in sys.argv[1:]:
    find_files(name)
"""


def test_a_licence_that_excludes_commercial_use_is_logged_once(tmp_path):
    folders = [tmp_path / name for name in ("jina-embeddings-v3", "reader-lm-0.5b", "jina-clip-v1", "my-model")]
    for folder in folders:
        folder.mkdir()
    arguments = [sys.executable, "-c", WARN, *map(str, folders), *map(str, folders)]
    errors = subprocess.run(arguments, capture_output=True, text=True, check=True).stderr.splitlines()
    assert [line.partition(":")[0] for line in errors] == ["jina-embeddings-v3", "reader-lm-0.5b"]
    assert "CC-BY-NC-4.0, excludes commercial use" in errors[0]
    assert errors[0].endswith("huggingface.co/jinaai/jina-embeddings-v3")


# --- what is on this machine -------------------------------------------------------------------------------------


def row(**fields):
    """A catalog row of the hub's one repository."""
    return ModelSpec(
        name="name", kind="embedding", hub_id="owner/name", context=8, license="MIT", **{"revision": COMMIT} | fields
    )


def test_bytes_of_bundled_models():
    sizes = {name: on_disk(BY_NAME[name]) for name in BY_NAME if BY_NAME[name].bundled}
    folder = bundled_path(BY_NAME[DEFAULT_EMBEDDER].folder)
    assert sizes[DEFAULT_EMBEDDER] == sum(map(len, content(folder).values()))
    assert sizes[DEFAULT_RERANKER] == sum(sizes[part] for part in BY_NAME[DEFAULT_RERANKER].parts)


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_bytes_of_what_is_in_the_cache(hub, revision):
    assert on_disk(row(revision=revision)) == 0
    assert not hub.requests
    hub.files["README.md"] = b"not needed"
    find_files("owner/name")
    hub.requests.clear()
    assert on_disk(row(revision=revision)) == sum(map(len, MODEL.values()))
    assert on_disk(row(revision="c" * 40)) == 0
    assert not hub.requests


def test_what_is_not_complete_does_not_count(hub_cache):
    folder = cache_snapshot(hub_cache, "owner/name", COMMIT)
    assert on_disk(row()) == 4
    (folder / "model.safetensors").unlink()
    assert on_disk(row()) == 0
    index = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(index)
    (folder / "model-00001-of-00002.safetensors").write_text("one")
    assert on_disk(row()) == 0
    (folder / "model-00002-of-00002.safetensors").write_text("two")
    assert on_disk(row()) == len(index) + len("{}") + 6
