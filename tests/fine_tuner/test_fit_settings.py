from __future__ import annotations

import json

import pytest

from jina_components.errors import ConfigError
from jina_components.fine_tuner.settings import DEFAULTS, HIDDEN, LARGE, FitSettings


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rate": -1.0}, "rate=-1.0 is out of range"),
        ({"warmup": 2.0}, "warmup"),
        ({"batch": 0}, "batch=0"),
        ({"losses": {"contrast": 1.0}}, "losses has contrast: known are contrastive"),
        ({"losses": {"contrastive": 0.0}}, "one above"),
        ({"losses": {"contrastive": float("nan")}}, "finite"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        FitSettings(**wrong)


@pytest.mark.parametrize(
    ("row", "kind", "given"),
    [("head", "embedder", {}), ("embedder", "embedder", {"hidden": 0}), ("embedder", "embedder", {"frozen": ()}),
     ("static", "static", {}), ("reranker", "reranker", {})],
)  # fmt: skip
def test_what_is_not_given_is_chosen_by_what_is_fitted(row, kind, given):
    filled = FitSettings(rate=0.5, **given).filled(kind, widths=(8, 4))
    assert filled.rate == 0.5
    assert filled.batch == DEFAULTS[row]["batch"]
    assert filled.hidden == (HIDDEN if row == "head" else 0)
    assert filled.widths == (8, 4)
    assert filled.lora == 0
    assert all(value is not None for name, value in filled.to_dict().items() if name != "max_steps")
    assert filled.filled(kind) == filled
    json.dumps(filled.to_dict())


def test_large_models_are_fitted_in_low_rank():
    assert FitSettings(hidden=0).filled("embedder", parameters=LARGE + 1).lora > 0
    assert FitSettings(lora=0).filled("embedder", parameters=LARGE + 1).lora == 0
    assert FitSettings().filled("embedder", parameters=LARGE + 1).lora == 0  # a layer on top is small enough


def test_a_layer_on_top_is_for_embedders_and_leaves_their_own_weights():
    with pytest.raises(ConfigError, match="hidden=64 is for transformer embedders; of a static"):
        FitSettings(hidden=64).filled("static")
    with pytest.raises(ConfigError, match="give one of them"):
        FitSettings(hidden=64, lora=8)


@pytest.mark.parametrize("given", [{"rivals": 5}, {"alike": 0.9}])
def test_what_is_for_embedders_alone_is_refused_for_others(given):
    with pytest.raises(ConfigError, match="rivals and alike are for embedders"):
        FitSettings(**given).filled("reranker")
