from __future__ import annotations

import pytest

from jina_components import Embedder, FineTuner

PARTS = ("pump", "valve", "filter", "motor", "sensor", "display")
MANUAL = [
    f"# The {part} {number}\n\nThe {part} {number} is a part of the mower that was made in {1990 + number}. "
    f"Clean the {part} {number} with water before every winter, because dust stops it."
    for number in range(4)
    for part in PARTS
]


@pytest.mark.parametrize(
    "base", ["small-embedding-v1", "static-minilm-v1", "small-cross-encoder-v1", "small-reranker-v1"]
)
def test_negatives_are_found_by_a_model_that_finds(base):
    triplets = FineTuner(base).synthesize(MANUAL)
    assert triplets.about["negatives_by"][0] == repr(Embedder("small-embedding-v1"))
    assert any(each.negatives for each in triplets.train)


def test_negatives_are_found_by_a_transformer_that_is_tuned(minilm_folder):
    triplets = FineTuner(minilm_folder).synthesize(MANUAL[:6])
    assert triplets.about["negatives_by"][0] == repr(Embedder(minilm_folder))
