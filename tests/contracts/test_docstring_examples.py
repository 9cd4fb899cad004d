"""Examples in docstrings run."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "name", ["embedder", "entailment", "filters.typed", "filters.flat", "reranker", "testing.fakes"]
)
def test_examples_of(name):
    done = doctest.testmod(import_module(f"jina_components.{name}"))
    assert done.attempted
    assert not done.failed
