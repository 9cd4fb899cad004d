from __future__ import annotations

import re
from typing import get_args

import pytest

from jina_components.embedder import TASKS
from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, DEFAULT_RERANKER, MODELS
from jina_components.models.files import bundled_path
from jina_components.models.labels import entailment_columns, read_labels
from jina_components.models.layout import read_json
from jina_components.models.spec import ModelKind

# No commit of these is known to us; what their branch stands for is logged when they are loaded.
UNPINNED = {"jina-code-embeddings-1.5b"}
EMBEDDERS = [spec for spec in MODELS if spec.kind == "embedding"]


def test_names_and_aliases_are_unique():
    names = [name for spec in MODELS for name in (spec.name, spec.hub_id, *spec.aliases) if name]
    assert len(names) == len(set(names)) == len(BY_NAME)


def test_the_defaults_are_bundled():
    assert BY_NAME[DEFAULT_EMBEDDER].bundled
    assert BY_NAME[DEFAULT_RERANKER].bundled


def test_all_bundled_weights_together_are_small():
    files = [path for path in bundled_path("").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40e6


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_every_row_is_whole(spec):
    assert spec.kind in get_args(ModelKind)
    assert [bool(spec.folder), bool(spec.hub_id), bool(spec.parts)].count(True) == 1
    assert bool(spec.parts) == (spec.kind == "blend")
    assert all(BY_NAME[part].bundled and BY_NAME[part].context >= spec.context for part in spec.parts)
    assert bool(spec.hub_id) != spec.bundled
    assert re.fullmatch(r"[0-9a-f]{40}" if spec.hub_id else "", spec.revision) or spec.name in UNPINNED
    assert (spec.revision == "main") == (spec.name in UNPINNED)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+" if spec.hub_id else "", spec.hub_id)
    assert spec.context > 0
    assert re.fullmatch(r"[\w.-]+", spec.license)
    assert len(set(spec.languages)) == len(spec.languages) > 0
    assert all(re.fullmatch(r"[a-z]{2,3}(-\w+)*", tag) for tag in spec.languages)
    assert bool(spec.score) == (spec.kind not in ("embedding", "generative"))
    assert bool(spec.dimensions) == (spec.kind == "embedding")
    assert spec.parameters or spec.hub_id
    if spec.folder:
        assert (bundled_path(spec.folder) / "model.safetensors").is_file()


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_widths_fit_the_model(spec):
    for widths in (spec.matryoshka, spec.token_dimensions):
        assert list(widths) == sorted(set(widths), reverse=True)
    assert not spec.matryoshka or spec.matryoshka[0] == spec.dimensions
    assert spec.kind in ("embedding", "late-interaction") or not spec.token_dimensions
    assert spec.token_dimensions or not (spec.kind == "late-interaction" and spec.hub_id)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_only_models_of_images_have_tiles(spec):
    assert spec.modalities in (("text",), ("text", "image"))
    assert bool(spec.tile_tokens) == all(spec.tile) == any(spec.tile) == ("image" in spec.modalities)


@pytest.mark.parametrize("spec", EMBEDDERS, ids=lambda spec: spec.name)
def test_tasks_are_whole(spec):
    own = {*spec.prompts, *spec.adapters} - TASKS.keys()
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*(\.(query|passage))?", task) for task in own)
    for task, side in (task.split(".") for task in own if "." in task):
        assert f"{task}.{'passage' if side == 'query' else 'query'}" in own
    if spec.adapters:  # no task runs without one by oversight
        assert TASKS.keys() | own == spec.adapters.keys()
        assert all(spec.adapters.values())
    assert not spec.default_task or spec.default_task in TASKS.keys() | own
    assert all(re.search(r"[:\n]\s*$", prompt) for prompt in spec.prompts.values())


@pytest.mark.parametrize("spec", [spec for spec in MODELS if spec.kind != "embedding"], ids=lambda spec: spec.name)
def test_only_embedders_have_tasks(spec):
    assert not spec.adapters
    assert not spec.default_task
    assert spec.prompts.keys() <= ({"html", "json"} if spec.kind == "generative" else set())


def test_one_adapter_that_is_always_on():
    spec = BY_NAME["jina-clip-v2"]
    assert set(spec.adapters.values()) == {"retrieval.query"}
    assert spec.adapters[spec.default_task] == "retrieval.query"
    assert spec.default_task not in spec.prompts


@pytest.mark.parametrize(
    ("name", "non_commercial"),
    [("jina-embeddings-v2-base-en", False), ("jina-embeddings-v3", True), ("jina-embeddings-v4", True)],
)
def test_licences_that_exclude_commercial_use(name, non_commercial):
    assert BY_NAME[name].non_commercial is non_commercial


@pytest.mark.parametrize("spec", [spec for spec in MODELS if spec.labels], ids=lambda spec: spec.name)
def test_what_several_labels_are_for(spec):
    assert spec.kind == "cross-encoder"
    assert entailment_columns(spec.labels, spec.name).contradiction is not None
    if spec.folder:
        assert read_labels(read_json(bundled_path(spec.folder) / "config.json")) == spec.labels
