from __future__ import annotations

import asyncio
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tiny_checkpoints import ENTAILMENT, FOUR_LABELS, TEXTS, save_checkpoint, save_pair_model

from jina_components import Entailment, EntailmentScorer, Reranker
from jina_components.errors import BackendError, ConfigError, InputError, ModelFilesError, UnknownNameError
from jina_components.models import tokenize
from jina_components.models.entailing import outcome_probabilities
from jina_components.models.labels import EntailmentColumns
from jina_components.models.runner import ModelRunner
from jina_components.types import Entailments, Usage

SHORT = TEXTS[:5]
PAIRS = [(premise, hypothesis) for premise in SHORT for hypothesis in ("hello fox", "a dog", "x")]
# Labels in an order of their own, and the columns of entailment, neutral and contradiction.
CHECKPOINTS = {
    "four labels": (FOUR_LABELS, "bert", [1, 2, 3]),
    "three labels": (ENTAILMENT, "roberta", [1, 2, 0]),
    "upper case": (("CONTRADICTION", "NEUTRAL", "ENTAILMENT"), "electra", [2, 1, 0]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_pair_model(tmp_path_factory.mktemp("entailment"), FOUR_LABELS)


@pytest.fixture(scope="module")
def scorer(folder):
    return EntailmentScorer(folder, precision="float32")


def table(results):
    return np.array([[one.entailment, one.neutral, one.contradiction] for one in results])


def wanted(folder, pairs, columns):
    """The softmax over these columns of what transformers gives for each pair alone, and its number of tokens."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = [tokenizer(*pair, return_tensors="pt") for pair in pairs]
    with torch.inference_mode():
        rows = [model(**inputs).logits[0, columns].double().softmax(0).numpy() for inputs in encoded]
    return np.array(rows), [inputs["input_ids"].shape[1] for inputs in encoded]


# --- scores ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("labels", "family", "columns"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_probabilities_are_those_of_transformers(tmp_path, labels, family, columns):
    save_pair_model(tmp_path, labels, family)
    results = EntailmentScorer(tmp_path, precision="float32").score(PAIRS)
    rows, tokens = wanted(tmp_path, PAIRS, columns)
    np.testing.assert_allclose(table(results), rows, atol=1e-5)
    assert np.ptp(rows, axis=0).min() > 0.05
    assert results.usage == Usage(sum(tokens))
    assert [one.label for one in results] == [
        ("entailment", "neutral", "contradiction")[column] for column in rows.argmax(axis=1)
    ]


@pytest.mark.parametrize(
    ("labels", "zero"),
    [(("entailment", "not_entailment"), "contradiction"), (("contradiction", "entailment"), "neutral")],
)
def test_a_model_of_two_labels(tmp_path, labels, zero):
    save_pair_model(tmp_path, labels)
    results = EntailmentScorer(tmp_path, precision="float32").score(PAIRS)
    assert {getattr(one, zero) for one in results} == {0.0}
    rows, _ = wanted(tmp_path, PAIRS, [0, 1])
    np.testing.assert_allclose(table(results)[:, 0], rows[:, labels.index("entailment")], atol=1e-5)


LOGITS = st.lists(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=4, max_size=4), min_size=1, max_size=5)


@given(LOGITS, st.permutations(range(4)), st.sampled_from([(), (1,), (2,)]))
def test_probabilities_sum_to_one_and_keep_the_order(logits, columns, missing):
    logits = np.array(logits, np.float32)
    known = EntailmentColumns(*(None if place in missing else column for place, column in enumerate(columns[:3])))
    rows = outcome_probabilities(logits, known)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)
    assert ((rows >= 0) & (rows <= 1)).all()
    for place, column in enumerate(known):
        assert column is not None or (rows[:, place] == 0).all()
        for other, beside in enumerate(known):
            if column is not None and beside is not None:
                higher = logits[:, column] >= logits[:, beside]
                assert (rows[higher, place] >= rows[higher, other]).all()


def test_one_folder_serves_as_reranker_and_as_entailment_model(folder, scorer):
    ranking = Reranker(folder, precision="float32").rerank("hello fox", SHORT)
    assert len(ranking) == len(SHORT)
    assert len(scorer.score([(text, "hello fox") for text in SHORT])) == len(SHORT)


def test_equal_pairs_run_once(scorer):
    """[CLS] a [SEP] b [SEP] is 5 tokens."""
    results = scorer.score([("a", "b"), ("a", "c d"), ("a", "b")])
    assert results.usage == Usage(5 + 6)
    assert results[0] == results[2]
    assert results[0] != results[1]
    assert scorer.score([("b", "a")])[0] != results[0]


def test_no_pairs(scorer):
    assert scorer.score([]) == Entailments()
    assert EntailmentScorer("no-such-model").score([]) == Entailments()


def test_pairs_may_be_lists(scorer):
    assert scorer.score([["hello", "fox"]]) == scorer.score((("hello", "fox"),))


# --- long texts --------------------------------------------------------------------------------------------------


def words(count, seed=0):
    return np.random.default_rng(seed).choice(list("abcdefghijklmnopqrstuvwxyz"), count).tolist()  # one token each


@pytest.mark.parametrize("seed", range(4))
def test_the_most_decided_chunk_speaks_for_a_long_premise(folder, scorer, seed):
    """The context takes 48 tokens, of which the hypothesis and the markers leave 43."""
    premise = words(200, seed)
    starts = [*range(0, 200 - 43, 43 - 10), 200 - 43]
    rows, tokens = wanted(folder, [(" ".join(premise[start : start + 43]), "a b") for start in starts], [1, 2, 3])
    best = rows[:, [0, 2]].max(axis=1).argmax()
    results = scorer.score([(" ".join(premise), "a b"), ("x", "a b")])
    np.testing.assert_allclose(table(results)[0], rows[best], atol=1e-5)
    np.testing.assert_allclose(table(results)[1:], table(scorer.score([("x", "a b")])), atol=1e-5)
    assert results.usage == Usage(sum(tokens) + 6)
    head = scorer.score([(" ".join(premise), "a b")], truncate=True)
    np.testing.assert_allclose(table(head)[0], rows[0], atol=1e-5)
    assert head.usage == Usage(tokens[0])


def test_a_long_hypothesis(scorer):
    """Of the 45 tokens beside the markers an eighth, 5, is the premise's."""
    pairs = [("fox", "dog"), ("fox", " ".join(["z"] * 41))]
    with pytest.raises(InputError, match=r"pairs\[1\]: the hypothesis has 41 tokens; up to 40 leave room") as caught:
        scorer.score(pairs)
    assert caught.value.index == 1
    cut = scorer.score(pairs, truncate=True)
    whole = scorer.score([("fox", " ".join(["z"] * 40))])
    np.testing.assert_allclose(table(cut)[1], table(whole)[0], atol=1e-6)
    assert len(scorer.score([(" ".join(words(100)), " ".join(["z"] * 40))])) == 1


# --- what is refused ---------------------------------------------------------------------------------------------

BAD = {
    "bare": ("ab", r"pairs\[1\] must be \(premise, hypothesis\), two str, got str\."),
    "one": (("a",), r"pairs\[1\] must be .*, got tuple of \(str\)"),
    "three": (["a", "b", "c"], r"got list of \(str, str, str\)"),
    "number": (("a", 3), r"got tuple of \(str, int\)"),
    "none": (None, "got NoneType"),
    "set": ({"a", "b"}, "got set"),
    "blank premise": ((" ", "b"), r"pairs\[1\]: the premise is empty"),
    "blank hypothesis": (("a", ""), r"pairs\[1\]: the hypothesis is empty"),
    "surrogate": (("a", "bad \ud800"), r"pairs\[1\]: the hypothesis is not valid Unicode: lone surrogate at 4"),
    "no tokens in the premise": (("\u200b", "b"), r"pairs\[1\]: the premise has no text that"),
    "no tokens in the hypothesis": (("a", "\u200b"), r"pairs\[1\]: the hypothesis has no text that"),
}


@pytest.mark.parametrize(("pair", "message"), BAD.values(), ids=BAD)
async def test_a_bad_pair_is_refused(scorer, pair, message):
    pairs = [("a", "b"), pair, ("c", "d")]
    with pytest.raises(InputError, match=message) as caught:
        scorer.score(pairs)
    assert caught.value.index == 1
    with pytest.raises(InputError, match=message):
        await scorer.ascore(pairs)


@pytest.mark.parametrize("pairs", ["bare", iter([("a", "b")]), None, {"a": "b"}])
def test_what_is_no_list_is_refused(scorer, pairs):
    with pytest.raises(InputError, match="pairs must be a list") as caught:
        scorer.score(pairs)
    assert caught.value.index is None


def test_one_pair_is_no_list_of_pairs(scorer):
    with pytest.raises(InputError, match=r"pairs\[0\] must be \(premise, hypothesis\), two str, got str"):
        scorer.score(("a premise", "a hypothesis"))


def test_too_many_characters(scorer, monkeypatch):
    monkeypatch.setattr(tokenize, "MAX_CHARACTERS", 100)
    with pytest.raises(InputError, match=r"pairs\[0\]: the premise has 101 characters"):
        scorer.score([("x" * 101, "y")])


@pytest.mark.parametrize("labels", [["LABEL_0"], ["relevance", "entailment"], ["positive", "negative"]])
def test_a_checkpoint_without_these_labels(tmp_path, labels):
    save_pair_model(tmp_path, labels)
    with pytest.raises(ModelFilesError, match=f"scores the labels? '{labels[0]}'.*an entailment scorer needs"):
        EntailmentScorer(tmp_path).load()


def test_a_catalog_model_of_another_purpose_is_refused_without_its_files():
    with pytest.raises(ModelFilesError, match="'ms-marco-MiniLM-L6-v2' scores the label 'relevance'"):
        EntailmentScorer("ms-marco-MiniLM-L6-v2", offline=True).load()
    with pytest.raises(ModelFilesError, match="'nli-MiniLM2-L6-H768' scores the labels .*a reranker needs"):
        Reranker("nli-MiniLM2-L6-H768", offline=True).load()


def test_wrong_settings_are_errors_and_never_another_model(tmp_path, folder):
    with pytest.raises(UnknownNameError, match="Unknown backend"):
        EntailmentScorer(folder, backend="tensorflow")
    with pytest.raises(ConfigError, match="not at an endpoint"):
        EntailmentScorer(folder, backend="http")
    with pytest.raises(ConfigError, match="token_budget"):
        EntailmentScorer(folder, token_budget=0)
    with pytest.raises(ConfigError, match="backend='static' cannot run"):
        EntailmentScorer(folder, backend="static").load()
    with pytest.raises(ConfigError, match="is of kind 'embedding', where 'cross-encoder' is needed"):
        EntailmentScorer("all-MiniLM-L6-v2", offline=True).load()
    with pytest.raises(ConfigError, match="is of kind 'late-interaction'"):
        EntailmentScorer("static-minilm-v1-maxsim").load()
    with pytest.raises(ModelFilesError, match="no cross-encoder"):
        EntailmentScorer(save_checkpoint(tmp_path)).load()


# --- a model that fails ------------------------------------------------------------------------------------------


class Failing:
    """A model that fails on inputs in which a token id is."""

    def __init__(self, backend, token):
        self.backend, self.token = backend, token
        self.token_budget, self.padded, self.precision = backend.token_budget, backend.padded, backend.precision
        self.width, self.device = backend.width, backend.device

    def run(self, batch):
        if any(self.token in item.ids for item in batch):
            raise ValueError("an input")
        return self.backend.run(batch)


def test_a_pair_on_which_the_model_fails_is_named(folder):
    scorer = EntailmentScorer(folder)
    model = scorer.load()
    [[pair]] = model.tokenizer.premises([("x", "a")])
    scorer._model = replace(model, runner=ModelRunner(Failing(model.runner._backend, pair.ids[1])))
    with pytest.raises(BackendError, match=r"^pairs\[2\]: The model failed: ValueError: an input"):
        scorer.score([("a", "b"), ("b", "a"), (" ".join(words(100)) + " x", "b"), ("x", "b")])
    with pytest.raises(BackendError, match="^The model failed: ValueError: an input"):
        scorer.score([("x", "b"), ("x", "c")])
    assert len(scorer.score([("a", "b")])) == 1


# --- a component -------------------------------------------------------------------------------------------------


async def test_the_async_twin_agrees(scorer):
    long = [*PAIRS, (" ".join(words(100)), "a")]
    assert await scorer.ascore(PAIRS) == scorer.score(PAIRS)
    assert await scorer.ascore(long, truncate=True, show_progress=True) == scorer.score(long, truncate=True)


async def test_cancelling_stops_the_model(scorer):
    pairs = [(" ".join(words(40, seed)), "a b") for seed in range(3000)]
    task = asyncio.create_task(scorer.ascore(pairs))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(scorer.score([("a", "b")])) == 1


def test_progress_counts_pairs(scorer, capfd):
    pairs = [*PAIRS, *PAIRS, (" ".join(words(300)), "a b")]
    assert scorer.score(pairs, show_progress=True) == scorer.score(pairs)
    assert "Scoring: 100%" in capfd.readouterr().err
    told = []
    model = scorer.load()
    pending = model.submit(pairs, truncate=False, on_progress=told.append)
    pending.finish(pending.future.result())
    assert sum(told) == len(pairs)
    assert min(told) >= 0


def test_a_score_does_not_depend_on_its_neighbours(scorer):
    for pair, result in zip(PAIRS, scorer.score(PAIRS), strict=True):
        np.testing.assert_allclose(table(scorer.score([pair])), table([result]), atol=1e-5)


def test_many_threads(scorer):
    rows = table(scorer.score(PAIRS))
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(lambda _: scorer.score(PAIRS), range(40)):
            np.testing.assert_allclose(table(got), rows, atol=1e-5)


def test_a_forked_child_scores(folder, holds_in_forked_child):
    scorer = EntailmentScorer(folder, precision="float32")
    label = scorer.score(PAIRS[:1])[0].label
    assert holds_in_forked_child(lambda: scorer.score(PAIRS[:1])[0].label == label)


def test_it_pickles_as_its_settings(folder):
    scorer = EntailmentScorer(folder, precision="float32", token_budget=64)
    results = scorer.score(PAIRS)
    data = pickle.dumps(scorer)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert copy.name == os.fspath(folder)
    np.testing.assert_allclose(table(copy.score(PAIRS)), table(results), atol=1e-5)


def test_it_closes_and_opens_again(folder):
    with EntailmentScorer(folder) as scorer:
        results = scorer.score(PAIRS)
        loaded = scorer.load()
        assert scorer.load() is loaded
    assert scorer.score(PAIRS) == results
    assert scorer.load() is not loaded
    assert repr(EntailmentScorer("nli-MiniLM2-L6-H768")) == "EntailmentScorer('nli-MiniLM2-L6-H768')"


# --- results -----------------------------------------------------------------------------------------------------


def test_a_result_is_read_at_a_glance():
    result = Entailment(0.91234, 0.05, 0.03766)
    assert repr(result) == "Entailment(entailment=0.912, neutral=0.050, contradiction=0.038)"
    assert repr(Entailments((result,), Usage(3))) == f"Entailments([{result!r}])"
    assert Entailments((result,) * 3)[1:] == (result, result)


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ((0.6, 0.3, 0.1), "entailment"),
        ((0.1, 0.2, 0.7), "contradiction"),
        ((0.4, 0.4, 0.2), "neutral"),
        ((0.5, 0.0, 0.5), "entailment"),
        ((0.0, 0.5, 0.5), "neutral"),
    ],
)
def test_the_label_is_the_most_probable_and_never_more_than_is_known(row, label):
    assert Entailment(*row).label == label
