"""The contracts over models in the stored form, as the package ships them: in their graphs, and in torch."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.numpy import load_file
from stored_models import cut_minilm, store
from tiny_checkpoints import FOUR_LABELS, skip_what_cannot_run
from transformers import AutoConfig, BertForSequenceClassification

from jina_components import Embedder, EntailmentScorer, Reranker
from jina_components.testing import check_embedder, check_entailment_scorer, check_reranker

pytestmark = pytest.mark.slow

# Backend, precision, and how much a vector may change with its neighbours, as in test_contract_backends.
WAYS = [
    ("onnx", "int8", 1e-5),
    ("onnx", "float32", 1e-5),
    ("torch", "float32", 1e-5),
    ("torch", "int8", 2e-3),
]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory, minilm_folder):
    return store(cut_minilm(minilm_folder, tmp_path_factory.mktemp("stored") / "embedder", [0, 2, 5]))


@pytest.fixture(scope="module")
def pair_model(tmp_path_factory, minilm_folder):
    """The real model cut to three layers, with a random head of four labels."""
    folder = tmp_path_factory.mktemp("stored") / "pairs"
    cut = cut_minilm(minilm_folder, folder.with_name("cut"), [0, 2, 5])
    config = AutoConfig.from_pretrained(cut, id2label=dict(enumerate(FOUR_LABELS)), initializer_range=0.2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForSequenceClassification(config)
    tensors = load_file(cut / "model.safetensors")
    model.bert.load_state_dict({name: torch.from_numpy(tensors[name]) for name in model.bert.state_dict()})
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(cut / name, folder / name)
    return store(folder)


@pytest.mark.parametrize(("backend", "precision", "tolerance"), WAYS)
def test_stored_embedder(embedder, backend, precision, tolerance):
    skip_what_cannot_run(backend, precision)
    check_embedder(Embedder(embedder, backend=backend, precision=precision, truncate=True), tolerance=tolerance)


@pytest.mark.parametrize(("backend", "precision", "tolerance"), WAYS)
def test_stored_pair_model(pair_model, backend, precision, tolerance):
    skip_what_cannot_run(backend, precision)
    check_reranker(Reranker(pair_model, backend=backend, precision=precision), tolerance=tolerance)
    check_entailment_scorer(EntailmentScorer(pair_model, backend=backend, precision=precision), tolerance=tolerance)
