"""Examples in docstrings run."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from jina_components.models.catalog import DEFAULT_ENTAILMENT
from jina_components.models.files import bundled_path


@pytest.mark.parametrize("name", ["embedder", "entailment", "reranker", "testing.fakes"])
def test_examples_of(name):
    if name == "entailment" and not bundled_path(DEFAULT_ENTAILMENT).exists():
        pytest.skip("its model is not trained yet")
    done = doctest.testmod(import_module(f"jina_components.{name}"))
    assert done.attempted
    assert not done.failed
