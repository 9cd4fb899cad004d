"""A blend is what its parts give, summed; it fails and ends as one."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor, wait
from contextlib import suppress

import numpy as np
import pytest
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import FOUR_LABELS, TEXTS, save_checkpoint, save_pair_model, save_sentence_transformer

from jina_components import Embedder, EntailmentScorer, Reranker
from jina_components.errors import BackendError, ConfigError, InputError
from jina_components.models.blend import Blend
from jina_components.models.catalog import BY_NAME
from jina_components.models.loading import LoadOptions, load_scorer
from jina_components.models.loading.scoring import _load_bi_encoder
from jina_components.models.pending import Pending
from jina_components.models.scoring import LateInteraction, Limits, Scores
from jina_components.models.spec import ModelSpec

ERROR = BackendError("broken")
WORDS = "static-minilm-v1-maxsim"


class Part:
    """A scorer whose future the test completes."""

    def __init__(self, *scores, errors=None, refuses=False):
        self.future = Future()
        self.scores = Scores(np.array(scores, np.float32), 10, errors or {})
        self.refuses = refuses
        self.closed = False

    def submit(self, query, texts, *, truncate):
        if self.refuses:
            raise InputError("no")
        return Pending(self.future, lambda scores: scores)

    def close(self):
        self.closed = True


def blend(*parts, weights=None, offset=0.0):
    return Blend(parts, weights or (1.0,) * len(parts), offset)


def submit(scorer):
    return scorer.submit("query", ["a", "b"], truncate=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """An embedder without prompts, one with prompts, and a cross-encoder."""
    base = tmp_path_factory.mktemp("parts")
    checkpoint = save_checkpoint(base / "checkpoint")
    for name, prompts in (("embedder", None), ("prompted", {"query": "a question: "})):
        steps = Pooling(32, pooling_mode="mean"), Normalize()
        save_sentence_transformer(base / name, *steps, checkpoint=checkpoint, prompts=prompts)
    save_pair_model(base / "pairs", FOUR_LABELS)
    return base


@pytest.fixture
def named(folders, monkeypatch):
    """Puts a blend of the tiny models and the bundled table into the catalog."""

    def make(*, embedder="embedder", context=24):
        made = {"kind": "embedding", "folder": embedder}, {"kind": "cross-encoder", "folder": "pairs"}
        for row in made:
            name = str(folders / row["folder"])
            spec = ModelSpec(name=name, kind=row["kind"], hub_id="owner/name", context=48, license="MIT")
            monkeypatch.setitem(BY_NAME, name, spec)
        parts = {WORDS: 40.0, str(folders / embedder): 20.0, str(folders / "pairs"): 1.0}
        spec = ModelSpec(name="mix", kind="blend", parts=parts, offset=-30.0, context=context, license="MIT")
        monkeypatch.setitem(BY_NAME, "mix", spec)
        return "mix"

    return make


QUERY, DOCUMENTS = "hello fox", [*TEXTS[:3], "a dog", "the capital of 日本"]
PLAIN = LoadOptions(precision="float32")


def raw(scorer, texts=DOCUMENTS):
    pending = scorer.submit(QUERY, texts, truncate=False)
    return pending.finish(pending.future.result(10)).raw


def test_the_sum_of_models(folders):
    parts = [
        _load_bi_encoder(str(folders / "embedder"), PLAIN, Limits()),
        load_scorer(str(folders / "pairs"), PLAIN, Limits()),
        load_scorer(WORDS, LoadOptions(), Limits()),
    ]
    with Embedder(folders / "embedder", precision="float32") as embedder:
        cosines = embedder.embed_documents(DOCUMENTS) @ embedder.embed_query(QUERY)
    np.testing.assert_allclose(raw(parts[0]), cosines, atol=1e-5)
    wanted = 20 * cosines + raw(parts[1]) + 40 * raw(parts[2]) - 30
    np.testing.assert_allclose(raw(Blend(tuple(parts), (20.0, 1.0, 40.0), -30.0)), wanted, atol=1e-3)


def test_a_blend_of_the_catalog(named, folders):
    scorer = load_scorer(named(), PLAIN, Limits())
    assert isinstance(scorer.scorers[-1], LateInteraction)
    assert scorer.weights == (20.0, 1.0, 40.0)
    assert {part.tokenizer.context for part in scorer.scorers} == {24}
    with Reranker("mix", precision="float32") as reranker:
        found = {hit.index: hit.score for hit in reranker.rerank(QUERY, DOCUMENTS)}
        assert len(reranker.rerank(QUERY, ["a b c " * 100])) == 1
    np.testing.assert_allclose([found[n] for n in range(5)], scorer.scale(raw(scorer)), atol=1e-6)


def test_an_embedder_with_prompts_is_no_part(named):
    with pytest.raises(ConfigError, match=r"'mix', of which '.*/prompted' is a part: .* tells queries from documents"):
        load_scorer(named(embedder="prompted"), PLAIN, Limits())


def test_errors_of_parts_name_the_blend(named, folders):
    with pytest.raises(ConfigError, match=r"'mix', of which '.*/embedder' is a part: backend='static' cannot run"):
        Reranker(named(), backend="static").load()
    with pytest.raises(ConfigError, match="revision cannot be set for a blend"):
        Reranker("mix", revision="main").load()


def test_a_blend_is_no_other_model(named):
    for component in (Embedder, EntailmentScorer):
        with pytest.raises(ConfigError, match="'mix' is of kind 'blend'"):
            component(named()).load()


def test_weights_offset_tokens_and_errors_come_together():
    first, second = Part(1, 2), Part(10, np.nan, errors={1: ERROR})
    pending = submit(blend(first, second, weights=(2.0, 0.5), offset=-1.0))
    second.future.set_result(second.scores)
    assert not pending.future.done()
    first.future.set_result(first.scores)
    scores = pending.finish(pending.future.result(1))
    assert scores.raw[0] == pytest.approx(6)
    assert np.isnan(scores.raw[1])
    assert scores.tokens == 20
    assert scores.errors == {1: ERROR}


@pytest.mark.parametrize("error", [ERROR, KeyboardInterrupt(), asyncio.CancelledError(), CancelledError()])
def test_the_first_part_that_fails_ends_all(error):
    """Whatever it fails with, and while the others are still at work."""
    first, second, third = Part(1, 2), Part(3, 4), Part(5, 6)
    pending = submit(blend(first, second, third))
    second.future.set_exception(error)
    assert first.future.cancelled()
    assert third.future.cancelled()
    assert pending.future.exception(1) is error


def test_a_part_that_is_cancelled_ends_all():
    first, second = Part(1, 2), Part(3, 4)
    pending = submit(blend(first, second))
    first.future.cancel()
    assert second.future.cancelled()
    assert pending.future.cancelled()
    assert wait([pending.future], 1).done


def test_parts_that_end_at_once_settle_it_once(caplog):
    """In threads, with failures and a caller who cancels meanwhile: it always ends, and nothing is logged."""
    chance = random.Random(0)
    with ThreadPoolExecutor(4) as pool:
        for number in range(300):
            parts = [Part(1, 2) for _ in range(3)]
            pending = submit(blend(*parts))
            gate = threading.Barrier(4)
            fails, pause = number % 3 == 0, chance.random() * 1e-4

            def end(part, fails=fails, gate=gate, pause=pause):
                gate.wait(5)
                time.sleep(pause)
                with suppress(InvalidStateError):
                    if not part.future.set_running_or_notify_cancel():
                        return
                    part.future.set_exception(ERROR) if fails else part.future.set_result(part.scores)

            ends = [pool.submit(end, part) for part in parts]
            gate.wait(5)
            if number % 2:
                pending.cancel()
            try:
                scores = pending.finish(pending.future.result(5))
                assert scores.tokens == 30
                assert not fails
            except (BackendError, CancelledError):
                assert fails or number % 2
            for ended in ends:
                ended.result(5)
            assert all(part.future.done() for part in parts)
    assert not caplog.records


async def test_a_blend_is_awaited_and_cancelled():
    first, second = Part(1, 2), Part(3, 4)
    pending = submit(blend(first, second))
    task = asyncio.ensure_future(asyncio.wrap_future(pending.future))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert first.future.cancelled()
    assert second.future.cancelled()


def test_cancelling_cancels_every_part():
    first, second = Part(1, 2), Part(3, 4)
    pending = submit(blend(first, second))
    pending.cancel()
    assert first.future.cancelled()
    assert second.future.cancelled()
    with pytest.raises(CancelledError):
        pending.future.result(1)


def test_what_was_begun_is_cancelled_when_a_part_refuses_the_query():
    first = Part(1, 2)
    with pytest.raises(InputError):
        submit(blend(first, Part(refuses=True)))
    assert first.future.cancelled()


def test_closing_closes_every_part():
    parts = Part(), Part()
    blend(*parts).close()
    assert all(part.closed for part in parts)
