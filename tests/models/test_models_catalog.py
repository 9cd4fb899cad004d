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
    assert re.fullmatch(r"[0-9a-f]{40}" if spec.hub_id else "", spec.revision)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+" if spec.hub_id else "", spec.hub_id)
    assert spec.context > 0
    assert spec.license
    assert all(re.fullmatch(r"[a-z]{2,3}(-\w+)*", tag) for tag in spec.languages)
    assert bool(spec.score) == (spec.kind != "embedding") == (not spec.dimensions)
    if spec.folder:
        assert (bundled_path(spec.folder) / "model.safetensors").is_file()


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_prompts_and_widths_fit_the_model(spec):
    assert spec.prompts.keys() <= TASKS.keys()
    assert spec.kind == "embedding" or not spec.prompts
    assert list(spec.matryoshka) == sorted(set(spec.matryoshka), reverse=True)
    assert not spec.matryoshka or spec.matryoshka[0] == spec.dimensions


@pytest.mark.parametrize("spec", [spec for spec in MODELS if spec.labels], ids=lambda spec: spec.name)
def test_what_several_labels_are_for(spec):
    assert spec.kind == "cross-encoder"
    assert entailment_columns(spec.labels, spec.name).contradiction is not None
    if spec.folder:
        assert read_labels(read_json(bundled_path(spec.folder) / "config.json")) == spec.labels
