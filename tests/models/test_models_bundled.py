"""What ships with the package, as a user gets it: without torch, and near to what it is cut from."""

from __future__ import annotations

import re

import numpy as np
import pytest

from jina_components import Embedder, EntailmentScorer, Reranker
from jina_components.models.catalog import MODELS
from jina_components.models.files import bundled_path

FOLDERS = sorted(path for path in bundled_path("").iterdir() if path.is_dir())
TEXTS = [
    "The ferry leaves at noon.",
    "A boat departs at twelve o'clock.",
    "Interest rates were raised by the central bank.",
    "Borrowing money has become more expensive.",
    "She planted tomatoes in the garden.",
    "Vegetables grow behind the house.",
]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_is_a_model_of_the_catalog_with_a_card(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    spec = next(spec for spec in MODELS if spec.folder == folder.name)
    assert re.match(rf"---\nlicense: {spec.license.lower()}\nlanguage: en\n", card)
    for section in ("How it was made", "Format", "Quality", "Limits"):
        assert f"\n## {section}\n" in card
    assert f"# {folder.name}\n" in card
    assert "CC BY-SA" in card


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_holds_no_pickle_and_no_code(folder):
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors", ".onnx", ".md"}


@pytest.mark.parametrize("dimensions", [64, 128, 256, 384])
def test_pairs_are_told_apart_at_every_width(dimensions):
    with Embedder(dimensions=dimensions) as embedder:
        vectors = embedder.embed_documents(TEXTS)
    assert vectors.shape == (6, dimensions)
    cosines = vectors @ vectors.T - 2 * np.eye(6)
    assert cosines.argmax(axis=1).tolist() == [1, 0, 3, 2, 5, 4]


def test_the_first_dimensions_hold_the_most():
    with Embedder() as embedder:
        whole = embedder.embed_documents(TEXTS)
    assert np.square(whole[:, :64]).sum(axis=1).mean() > 2 * 64 / 384
    assert np.square(whole[:, :256]).sum(axis=1).mean() > 0.85


@pytest.mark.slow
def test_graphs_in_int8_are_near_the_same_weights_in_float32():
    with Embedder() as quick, Embedder(backend="torch", precision="float32") as exact:
        cosines = (quick.embed_documents(TEXTS) * exact.embed_documents(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.99


def test_the_default_reranker_puts_what_answers_first():
    with Reranker() as reranker:
        ranking = reranker.rerank("When does the ship set sail?", TEXTS)
    assert {ranking[0].index, ranking[1].index} == {0, 1}
    assert all(0 <= document.score <= 1 for document in ranking)


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        ("The Eiffel Tower was built in Paris in 1889.", "The Eiffel Tower is in Paris.", "entailment"),
        ("The Eiffel Tower was built in Paris in 1889.", "The Eiffel Tower was built in 1925.", "contradiction"),
        ("The film was directed by Ang Lee.", "Ang Lee directed the film.", "entailment"),
        ("The film was directed by Ang Lee.", "The film was not directed by Ang Lee.", "contradiction"),
    ],
)
def test_the_default_entailment_model_tells_what_follows(premise, hypothesis, label):
    with EntailmentScorer() as scorer:
        [result] = scorer.score([(premise, hypothesis)])
    assert result.label == label
