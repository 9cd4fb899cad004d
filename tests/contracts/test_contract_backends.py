"""The contracts over every way to run a model."""

from __future__ import annotations

import pytest
from tiny_checkpoints import FOUR_LABELS, save_checkpoint, save_pair_model, skip_what_cannot_run

from jina_components import Embedder, EntailmentScorer, Reranker
from jina_components.testing import check_embedder, check_entailment_scorer, check_reranker

pytestmark = pytest.mark.slow

# Backend, precision, and how much a vector may change with its neighbours: below float32's resolution of a unit vector
# in float32, and the roundings that another number of rows brings otherwise.
WAYS = [
    ("torch", "float32", 1e-5),
    ("torch", "bfloat16", 2e-3),
    ("torch", "int8", 2e-3),
    ("onnx", "float32", 1e-5),
    ("onnx", "int8", 1e-5),
]


@pytest.fixture(autouse=True)
def graphs_in_a_folder_of_their_own(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "graphs"))


@pytest.mark.parametrize(("backend", "precision", "tolerance"), WAYS)
def test_embedders(minilm_folder, backend, precision, tolerance):
    skip_what_cannot_run(backend, precision)
    check_embedder(Embedder(minilm_folder, backend=backend, precision=precision, truncate=True), tolerance=tolerance)


@pytest.mark.parametrize(("backend", "precision", "tolerance"), WAYS)
def test_rerankers(tmp_path_factory, backend, precision, tolerance):
    skip_what_cannot_run(backend, precision)
    folder = tmp_path_factory.getbasetemp() / "contract-cross-encoder"
    if not folder.exists():
        save_checkpoint(folder, head="ForSequenceClassification", num_labels=1, num_hidden_layers=1)
    check_reranker(Reranker(folder, backend=backend, precision=precision), tolerance=tolerance)


@pytest.mark.parametrize(("backend", "precision", "tolerance"), WAYS)
def test_entailment_scorers(tmp_path_factory, backend, precision, tolerance):
    skip_what_cannot_run(backend, precision)
    folder = tmp_path_factory.getbasetemp() / "contract-entailment"
    if not folder.exists():
        save_pair_model(folder, FOUR_LABELS, num_hidden_layers=1)
    check_entailment_scorer(EntailmentScorer(folder, backend=backend, precision=precision), tolerance=tolerance)
