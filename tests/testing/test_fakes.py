from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from jina_components.errors import ConfigError, InputError
from jina_components.testing import FakeEmbedder, FakeEntailmentScorer
from jina_components.types import Entailment


def test_the_same_vector_in_every_process():
    script = (
        "import sys; from jina_components.testing import FakeEmbedder\n"
        "print(FakeEmbedder(dimensions=4).embed_query('the calm sea').tobytes().hex())"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    assert done.stdout.strip() == FakeEmbedder(dimensions=4).embed_query("the calm sea").tobytes().hex()


def test_texts_that_share_words_are_close():
    fake = FakeEmbedder()
    vectors = fake.embed_documents(["the calm sea", "stocks fell on Monday", "a CALM sea!"])
    cosines = vectors @ fake.embed_query("sea, calm")
    assert cosines[0] > 0.6
    assert cosines[2] > 0.6
    assert cosines[1] < 0.5
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("text", ["!!!", "🦊", "\ud800", "東京"])
def test_any_text_has_a_direction(text):
    vector = FakeEmbedder(dimensions=7).embed_query(text)
    assert vector.shape == (7,)
    assert vector.any()


def test_settings_and_inputs():
    assert repr(FakeEmbedder(dimensions=8)) == "FakeEmbedder(dimensions=8)"
    assert FakeEmbedder(dimensions=8).name == "fake-8"
    with pytest.raises(ConfigError):
        FakeEmbedder(dimensions=0)
    with pytest.raises(InputError):
        FakeEmbedder().embed_documents("bare")


def test_the_package_does_not_load_its_testing_part():
    script = (
        "import sys, jina_components; jina_components.Embedder; assert 'jina_components.testing' not in sys.modules"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True, env=environment)


@pytest.mark.parametrize(
    ("premise", "hypothesis", "wanted"),
    [
        ("The sea is calm.", "the SEA is calm!", Entailment(1.0, 0.0, 0.0)),
        ("The sea is calm.", "The sea is not calm.", Entailment(0.0, 0.0, 1.0)),
        ("The sea isn't calm.", "The sea is calm.", Entailment(0.0, 0.0, 1.0)),
        ("Nobody was there.", "Nobody was there", Entailment(1.0, 0.0, 0.0)),
        ("The sea is calm.", "The sea rose by night", Entailment(0.4, 0.6, 0.0)),
        ("!!!", "東京", Entailment(0.0, 1.0, 0.0)),
    ],
)
def test_the_fake_judges_by_shared_words_and_negation(premise, hypothesis, wanted):
    [result] = FakeEntailmentScorer().score([(premise, hypothesis)])
    assert (result.entailment, result.neutral, result.contradiction) == pytest.approx(
        (wanted.entailment, wanted.neutral, wanted.contradiction)
    )


def test_the_fake_counts_words():
    fake = FakeEntailmentScorer()
    assert fake.score([("a b", "c"), ("d", "e f g")]).usage.total_tokens == 7
    assert repr(fake) == "FakeEntailmentScorer()"
    with pytest.raises(InputError, match="two str"):
        fake.score(["ab"])
