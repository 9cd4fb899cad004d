from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

pytest.importorskip("onnx")

from tiny_checkpoints import FOUR_LABELS, save_pair_model

from jina_components.entailment import EntailmentScorer
from jina_components.fine_tuner.recipes.bundle import main


def test_a_float_folder_becomes_a_small_one_that_scores_alike(tmp_path):
    folder = save_pair_model(tmp_path / "float", FOUR_LABELS)
    main([str(folder), "--to", str(tmp_path / "small")])
    stored = load_file(tmp_path / "small" / "model.safetensors")
    assert stored["bert.encoder.layer.0.output.dense.weight"].dtype == np.int8
    assert not [name for name in stored if name.endswith("position_ids")]
    pairs = [("the quick brown fox", "hello"), ("hello world", "a b c")]
    found = []
    for name, precision in (("float", "float32"), ("small", "auto")):
        with EntailmentScorer(str(tmp_path / name), precision=precision) as scorer:
            found.append([result.entailment for result in scorer.score(pairs)])
    np.testing.assert_allclose(*found, atol=0.05)


def test_the_card_of_the_target_stays(tmp_path):
    folder = save_pair_model(tmp_path / "float", FOUR_LABELS)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "README.md").write_text("card", encoding="utf-8")
    main([str(folder), "--to", str(tmp_path / "small")])
    assert (tmp_path / "small" / "README.md").read_text(encoding="utf-8") == "card"
