"""A reranker of vectors keeps those of the last documents."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pytest

from jina_components.core.vectors import normalize
from jina_components.errors import BackendError
from jina_components.models import scoring
from jina_components.models.files import bundled_path
from jina_components.models.runner import JobResult
from jina_components.models.scoring import BiEncoder, Limits, Recent
from jina_components.models.tokenize import TextTokenizer, load_tokenizer

ERROR = BackendError("broken")


class Runner:
    """Gives each sequence a vector of its own ids; fails on one that begins as `broken` does."""

    def __init__(self):
        self.ran: list[int] = []
        self.broken: int | None = None

    def submit(self, sequences):
        self.ran.append(len(sequences))
        rows = [np.random.default_rng(each.ids.tolist()).normal(size=8) for each in sequences]
        errors = {at: ERROR for at, each in enumerate(sequences) if self.broken in each.ids.tolist()}
        future = Future()
        future.set_result(JobResult(np.array(rows, np.float32), errors))
        return future


@pytest.fixture
def scorer():
    tokenizer = TextTokenizer(load_tokenizer(bundled_path("small-embedding-v1") / "tokenizer.json"), context=16)
    return BiEncoder(tokenizer, Runner(), Limits())


def scored(scorer, query, texts):
    pending = scorer.submit(query, texts, truncate=True)
    return pending.finish(pending.future.result())


def test_documents_that_were_seen_are_not_run_again_and_score_the_same(scorer):
    first = scored(scorer, "a question", ["one", "two", "two", "three"])
    again = scored(scorer, "a question", ["three", "four", "one", "two"])
    assert scorer.runner.ran == [4, 2]
    np.testing.assert_array_equal(again.raw[[2, 3, 0]], first.raw[[0, 1, 3]])
    assert first.raw[1] == first.raw[2]
    other = scored(scorer, "another", ["one", "two"])
    assert scorer.runner.ran[-1] == 1
    assert other.raw[0] != first.raw[0]
    assert scored(scorer, "a question", []).raw.shape == (0,)


def test_what_failed_is_named_and_not_kept(scorer):
    scored(scorer, "a question", ["one"])
    scorer.runner.broken = scorer.tokenizer.texts(["two"])[0].ids[1]
    found = scored(scorer, "a question", ["one", "two", "three"])
    assert found.errors == {1: ERROR}
    assert np.isnan(found.raw).tolist() == [False, True, False]
    scorer.runner.broken = None
    assert not np.isnan(scored(scorer, "a question", ["one", "two", "three"]).raw).any()
    assert scorer.runner.ran == [2, 3, 2]


def test_the_last_are_kept(monkeypatch):
    monkeypatch.setattr(scoring, "_RECENT", 2)
    recent, rows = Recent(), normalize(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))
    recent.keep({(b"a",): rows[0], (b"b",): rows[1]})
    recent.keep({(b"a",): rows[0]})
    recent.keep({(b"c",): rows[2]})
    assert set(recent.of([(b"a",), (b"b",), (b"c",)])) == {(b"a",), (b"c",)}
