from __future__ import annotations

import numpy as np
import pytest

from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, scifact_claims
from jina_components.fine_tuner.recipes.data.judged_passages import SOURCES, JudgedPassage, collect_judged
from jina_components.fine_tuner.recipes.fit_judge import DECISIVE, TRUE, Sample, featured, fit, fit_all
from jina_components.grounder.features import NAMES
from jina_components.grounder.passages import Passage
from jina_components.testing import FakeEntailmentScorer
from tests.quality_data import write_quality_data


def made(usefulness, size=2000, seed=0):
    random = np.random.default_rng(seed)
    yes = random.random(size) < 0.2
    features = random.normal(size=(size, len(NAMES)))
    features[:, 0] += usefulness * yes
    return Sample(features, yes)


def test_what_tells_weighs_and_a_probability_is_one_at_even_odds():
    bias, weights = fit([made(2.0)], NAMES[:2])
    assert weights[NAMES[0]] == pytest.approx(2, abs=0.3)
    assert weights[NAMES[1]] == pytest.approx(0, abs=0.2)
    assert bias == pytest.approx(-2, abs=0.4)  # in the middle between yes and no


def test_a_large_sample_counts_no_more_than_a_small_one():
    _, both = fit([made(3.0, 4000), made(0.0, 400, 1)], NAMES[:1])
    _, alone = fit([made(3.0, 4400)], NAMES[:1])
    assert both[NAMES[0]] < alone[NAMES[0]] / 1.5


def test_both_models_are_fitted_on_features_of_passages():
    rows = [
        JudgedPassage(str(at), f"The bridge {at} was opened in 1932.", Passage(text.format(at), "u"), verdict)
        for at in range(20)
        for text, verdict in (
            ("The bridge {} was opened in 1932.", "supported"),
            ("The bridge {} was opened in 1952.", "refuted"),
            ("Bread is baked.", "not enough evidence"),
        )
    ]
    assert featured(rows[:3], FakeEntailmentScorer()).shape == (3, len(NAMES))
    found = fit_all(dict.fromkeys(("fever", "covidfact", "scifact", "squad"), rows), FakeEntailmentScorer())
    assert set(found["DECISIVE"][1]) == set(DECISIVE)
    assert set(found["TRUE"][1]) == set(TRUE)
    assert found["TRUE"][1]["contradicted"] < 0 < found["DECISIVE"][1]["sentence_covered"]


def test_nothing_that_is_held_back_is_fitted_on(tmp_path):
    data = write_quality_data(tmp_path)
    found = collect_judged(data)
    assert set(found) == set(SOURCES)
    assert found["fever"]
    assert not {row.text for row in found["fever"]} & fever_pairs(data)
    assert not {row.claim for row in found["scifact"]} & {f"scifact {name}" for name in scifact_claims(data)}
    assert {row.verdict for row in found["fever"]} == {"supported", "refuted", "not enough evidence"}


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(ConfigError, match="fever_dev_pairs"):
        collect_judged(tmp_path)
