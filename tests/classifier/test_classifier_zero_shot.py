import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from classifier_samples import NarrowEmbedder, SeeingEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import Embedder, Image
from jina_components.classifier import Classifier
from jina_components.errors import BackendError, ConfigError, InputError, UnknownNameError
from jina_components.testing import FakeEmbedder
from jina_components.types import Classifications, Usage

WORDS = ["sea", "calm", "ship", "stocks", "fell", "bank", "bread", "oven", "rain"]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
label_lists = st.lists(st.sampled_from(WORDS), min_size=2, max_size=6, unique=True)
QUICK = settings(max_examples=40, deadline=None)


def test_real_texts(bundled_embedder):
    classifier = Classifier(bundled_embedder)
    texts = [
        "The striker scored twice in the final.",
        "Parliament voted on the new law.",
        "Boil the pasta in salted water.",
    ]
    results = classifier.classify(texts, labels=["sports", "politics", "cooking"])
    assert [result.label for result in results] == ["sports", "politics", "cooking"]
    assert all(result.labels == (result.label,) for result in results)
    assert results.usage.total_tokens > bundled_embedder.embed(texts).usage.total_tokens
    again = classifier.classify(texts, labels=["sports", "politics", "cooking"])
    assert again.usage == bundled_embedder.embed(texts, task="classification").usage
    assert again.results == results.results


@QUICK
@given(st.lists(sentences, max_size=5), label_lists, st.sampled_from([None, 0.05, 1.0]))
def test_scores_are_probabilities_of_every_label_in_order(texts, labels, temperature):
    results = Classifier(FakeEmbedder(), temperature=temperature).classify(texts, labels)
    assert len(results) == len(texts)
    for result in results:
        assert list(result.scores) == labels
        assert sum(result.scores.values()) == pytest.approx(1)
        assert result.score == max(result.scores.values()) == result.scores[result.label]


@QUICK
@given(st.lists(sentences, min_size=1, max_size=5), label_lists, st.booleans(), st.randoms())
def test_other_orders_only_permute(texts, labels, multi_label, random):
    classifier = Classifier(FakeEmbedder(), multi_label=multi_label)
    plain = classifier.classify(texts, labels)
    order = random.sample(range(len(texts)), len(texts))
    shuffled = classifier.classify([texts[place] for place in order], random.sample(labels, len(labels)))
    for place, result in zip(order, shuffled, strict=True):
        assert result.scores == pytest.approx(plain[place].scores, abs=1e-5)


@QUICK
@given(st.lists(sentences, min_size=1, max_size=4), label_lists, st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_gives_a_subset(texts, labels, multi_label, one, other):
    low, high = sorted([one, other])
    some, fewer = (
        Classifier(FakeEmbedder(), threshold=threshold, multi_label=multi_label).classify(texts, labels)
        for threshold in (low, high)
    )
    for more, less in zip(some, fewer, strict=True):
        assert set(less.labels) <= set(more.labels)
        assert all(less.scores[label] >= high for label in less.labels)
        assert less.label == (less.labels[0] if less.labels else None)
        assert less.score == more.score


@QUICK
@given(sentences, label_lists)
def test_independent_labels_do_not_depend_on_which_others_there_are(text, labels):
    classifier = Classifier(FakeEmbedder(), multi_label=True)
    [result] = classifier.classify([text], labels)
    [changed] = classifier.classify([text], [labels[0], *(f"other {label}" for label in labels[1:])])
    assert changed.scores[labels[0]] == pytest.approx(result.scores[labels[0]], abs=1e-6)
    [alone] = classifier.classify([text], labels[:1])
    assert alone.scores[labels[0]] > result.scores[labels[0]]


def test_several_independent_labels_may_hold(bundled_embedder):
    text = "The chef cooked pasta in the kitchen while football fans watched the match in the stadium."
    classifier = Classifier(bundled_embedder, multi_label=True, threshold=0.35)
    [both, none] = classifier.classify([text, "qzx"], ["cooking", "football", "astronomy", "banking"])
    assert set(both.labels) == {"cooking", "football"}
    assert both.scores[both.labels[0]] == both.score >= both.scores[both.labels[1]]
    assert (none.label, none.labels) == (None, ())


def test_probabilities_do_not_hang_on_how_narrow_the_space_is():
    texts, labels = ["calm sea", "stocks fell"], ["sea", "stocks"]
    wide = Classifier(FakeEmbedder(dimensions=256)).classify(texts, labels)
    narrow = Classifier(NarrowEmbedder(dimensions=256)).classify(texts, labels)
    for one, other in zip(wide, narrow, strict=True):
        assert other.score == pytest.approx(one.score, abs=0.1)
    flat = Classifier(NarrowEmbedder(dimensions=256), temperature=1.0).classify(texts, labels)
    assert all(result.score < 0.6 for result in flat)


def test_a_temperature_of_1_is_the_softmax_over_cosines():
    embedder = FakeEmbedder()
    [result] = Classifier(embedder, temperature=1.0, template="{}").classify(["calm sea"], ["sea", "stocks", "rain"])
    cosines = embedder.embed_documents(["sea", "stocks", "rain"]) @ embedder.embed_query("calm sea")
    expected = np.exp(cosines) / np.exp(cosines).sum()
    np.testing.assert_allclose(list(result.scores.values()), expected, atol=1e-6)


def test_descriptions_stand_for_labels():
    labels = {"A": "calm sea", "B": "bread oven"}
    [one, other] = Classifier(FakeEmbedder(), template="{}").classify(["sea calm", "oven bread"], labels)
    assert (one.label, other.label) == ("A", "B")


def test_lists_are_no_descriptions_but_sets_of_labels():
    classifier, sets = Classifier(FakeEmbedder()), {"topic": ["sea", "bread"], "mood": ["calm", "rain"]}
    with pytest.raises(InputError, match=r"labels\['topic'\] must be described by one str, got list.*classify_groups"):
        classifier.classify(["sea"], sets)
    assert list(classifier.classify_groups(["sea"], sets)) == ["topic", "mood"]


def test_braces_of_labels_and_templates_mean_nothing():
    labels = ["{0.__class__}", "{}", "100 %s"]
    results = Classifier(FakeEmbedder(), template="{note} {}").classify(["note"], labels)
    assert list(results[0].scores) == labels


def test_an_embedder_is_told_the_task_and_tells_usage():
    embedder = SeeingEmbedder()
    classifier = Classifier(embedder, template="{}", temperature=0.1)
    results = classifier.classify(["calm sea", Image(b"fell stocks")], ["sea", "stocks"])
    assert [result.label for result in results] == ["sea", "stocks"]
    assert {task for _, task in embedder.calls} == {"classification"}
    assert results.usage == Usage(2 + 2 + 2)
    assert classifier.classify(["calm sea"], ["sea", "stocks"]).usage == Usage(2)
    assert Classifier(FakeEmbedder()).classify(["calm sea"], ["sea", "stocks"]).usage == Usage()


def test_labels_are_embedded_once_and_the_last_sets_kept():
    embedder = SeeingEmbedder()
    classifier = Classifier(embedder, temperature=0.1)
    for number in (0, 0, 1, 0, *range(40), 0):
        classifier.classify(["sea"], ["bank", f"label {number}"])
    asked = [inputs for inputs, _ in embedder.calls if len(inputs) == 4]
    assert len(asked) == 41
    assert asked[-1] == asked[0]
    classifier.close()
    classifier.classify(["sea"], ["bank", "label 0"])
    assert sum(len(inputs) == 4 for inputs, _ in embedder.calls) == 42


def test_no_inputs_give_no_results_and_cost_nothing():
    embedder = SeeingEmbedder()
    classifier = Classifier(embedder)
    assert classifier.classify([], ["sea", "bank"]) == Classifications()
    grouped = classifier.classify_groups([], {"tone": ["good", "bad"]})
    assert (list(grouped), grouped["tone"].results, embedder.calls) == (["tone"], (), [])
    with pytest.raises(InputError):
        classifier.classify([], ["sea"])


def test_groups_are_classified_one_by_one_and_inputs_embedded_once():
    embedder = SeeingEmbedder()
    classifier = Classifier(embedder, temperature=0.1)
    groups = {"place": ["sea", "bank"], "food": {"baked": "bread oven", "wet": "rain"}}
    grouped = classifier.classify_groups(["calm sea", "oven bread"], groups)
    assert sum("calm sea" in inputs for inputs, _ in embedder.calls) == 1
    assert list(grouped) == ["place", "food"]
    assert len(grouped) == 2
    assert "food" in grouped
    for name, labels in groups.items():
        assert grouped[name].results == classifier.classify(["calm sea", "oven bread"], labels).results
    assert grouped.usage.total_tokens > 4
    with pytest.raises(UnknownNameError, match=r"'tone'. Known: place, food"):
        grouped["tone"]


@pytest.mark.parametrize(
    ("inputs", "index", "message"),
    [
        ("a text", None, r"inputs must be a list, got str: pass \['a text'\]"),
        (["fine", "  "], 1, r"inputs\[1\] is empty"),
        (["fine", 3], 1, r"inputs\[1\] must be str, got int"),
        (["fine", Image(b"x")], 1, r"inputs\[1\] is an image, and FakeEmbedder\(dimensions=32\) takes texts alone"),
        (None, None, "inputs must be a list"),
    ],
)
def test_wrong_inputs_are_named(inputs, index, message):
    with pytest.raises(InputError, match=message) as raised:
        Classifier(FakeEmbedder()).classify(inputs, ["sea", "bank"])
    assert raised.value.index == index


@pytest.mark.parametrize(
    ("labels", "index", "message"),
    [
        ([], None, r"labels must be at least 2 to choose from, got \[\]"),
        (["sea"], None, r"at least 2 to choose from, got \['sea'\]"),
        ("sea", None, r"labels must be a list, or a mapping .* got str: pass \['sea', …\]"),
        (7, None, "labels must be a list"),
        (["sea", " sea"], 1, r"labels\[1\] 'sea' is there twice"),
        (["sea", "\t"], 1, r"labels\[1\] is empty"),
        (["sea", None], 1, r"labels\[1\] must be str, got NoneType"),
        (["sea", "b\ud800"], 1, r"labels\[1\] is not valid Unicode"),
        ({"sea": "x", "bank": " "}, None, r"labels\['bank'\]: the description is empty"),
        ({"sea": "x", "bank": []}, None, r"labels\['bank'\] must be described by one str, got list"),
        ({"sea": "x", 3: "y"}, 1, r"labels\[1\] must be str, got int"),
    ],
)
def test_wrong_labels_are_named(labels, index, message):
    with pytest.raises(InputError, match=message) as raised:
        Classifier(FakeEmbedder()).classify(["x"], labels)
    assert raised.value.index == index


@pytest.mark.parametrize("groups", [{}, ["sea"], {" ": ["sea", "bank"]}, {"a": ["sea"]}, {"a": "sea"}])
def test_wrong_groups_are_refused(groups):
    with pytest.raises(InputError, match="group"):
        Classifier(FakeEmbedder()).classify_groups(["x"], groups)


@pytest.mark.parametrize(
    "setting",
    [
        {"threshold": -0.1}, {"threshold": 1.01}, {"threshold": True}, {"threshold": float("nan")}, {"temperature": 0},
        {"temperature": -1.0}, {"temperature": "hot"}, {"temperature": float("inf")}, {"template": "about"},
        {"template": []}, {"template": ["{}", "x"]}, {"template": [3]}, {"version": 1},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        Classifier(FakeEmbedder(), **setting)


@pytest.mark.parametrize("embedder", [None, "small-embedding-v1", FakeEmbedder])
def test_no_embedder_is_refused(embedder):
    with pytest.raises(ConfigError, match="embed_query and embed_documents"):
        Classifier(embedder)


def test_what_the_embedder_refuses_is_told_of_the_callers_list(minilm_folder):
    with Embedder(minilm_folder) as embedder:
        classifier = Classifier(embedder, temperature=0.1)
        for text, message in [
            ("\ud800", r"^inputs\[1\] is not valid Unicode"),
            ("word " * 3000, r"^inputs\[1\] has .* tokens.* make the embedder with truncate=True"),
            ("word " * 2_000_001, r"^inputs\[1\] has 10,000,005 characters"),
        ]:
            with pytest.raises(InputError, match=message) as raised:
                classifier.classify(["fine", text], ["sea", "bank"])
            assert raised.value.index == 1
        with pytest.raises(InputError, match=r"^labels\['word word.*…'\] has .* tokens") as raised:
            classifier.classify(["fine"], ["sea", "word " * 3000])
        assert raised.value.index == 1


def test_texts_of_nothing_that_the_embedder_knows_are_even(bundled_embedder):
    [result, other] = Classifier(bundled_embedder).classify(["\0", "sea\0side"], ["beach", "bank"])
    assert sum(result.scores.values()) == pytest.approx(1)
    assert np.isfinite(other.score)


def test_images_have_no_independent_labels():
    with pytest.raises(InputError, match=r"inputs\[1\] is an image") as raised:
        Classifier(SeeingEmbedder(), multi_label=True).classify(["x", Image(b"sea")], ["sea", "bank"])
    assert raised.value.index == 1


def test_an_embedder_that_changes_its_width_is_found_out():
    embedder = FakeEmbedder()
    classifier = Classifier(embedder)
    classifier.classify(["sea"], ["sea", "bank"])
    embedder.dimensions = 16
    with pytest.raises(BackendError, match="32 dimensions before and now of 16"):
        classifier.classify(["sea"], ["sea", "bank"])


@pytest.mark.parametrize(
    "rows", [np.full((1, 4), np.nan), np.ones(4), np.ones((3, 4)), np.ones((1, 4)), np.ones((1, 0))]
)
def test_an_embedder_that_gives_no_vectors_is_found_out(rows):
    class Broken(FakeEmbedder):
        def embed_documents(self, texts):
            return np.repeat(rows, len(texts), axis=0) if rows.ndim == 2 else rows

    with pytest.raises(BackendError, match=r"returned no|places all texts alike"):
        Classifier(Broken()).classify(["sea"], ["sea", "bank"])


async def test_the_async_twins_give_the_same(bundled_embedder):
    classifier = Classifier(bundled_embedder)
    texts, labels = ["the match", "the soup"], ["sports", "cooking"]
    expected = classifier.classify(texts, labels)
    assert (await classifier.aclassify(texts, labels)).results == expected.results
    grouped = await classifier.aclassify_groups(texts, {"topic": labels})
    assert grouped["topic"].results == expected.results
    both = await asyncio.gather(*(classifier.aclassify([text], labels) for text in texts))
    assert [one[0].label for one in both] == [result.label for result in expected]


async def test_a_cancelled_call_stops():
    class Slow(FakeEmbedder):
        started, go_on, calls = threading.Event(), threading.Event(), 0

        def embed_documents(self, texts):
            if len(texts) > 100:
                type(self).calls += 1
                self.started.set()
                self.go_on.wait(30)
            return super().embed_documents(texts)

    task = asyncio.ensure_future(Classifier(Slow()).aclassify(["sea"] * 3000, ["sea", "bank"]))
    await asyncio.to_thread(Slow.started.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    Slow.go_on.set()
    assert Slow.calls == 1


def test_many_threads_at_once():
    classifier = Classifier(FakeEmbedder())
    texts = ["calm sea", "stocks fell", "bread oven"]
    expected = [classifier.classify([text], ["sea", "stocks", "bread"])[0] for text in texts]
    fresh = Classifier(FakeEmbedder())
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: fresh.classify([texts[n % 3]], ["sea", "stocks", "bread"])[0], range(60)))
    assert got == [expected[number % 3] for number in range(60)]


def test_results_are_shown():
    results = Classifier(FakeEmbedder(), threshold=0.9).classify(["sea", "a b c d"], ["sea", "<b>bank</b>"])
    assert repr(results[0]).startswith("Classification('sea', 0.")
    assert repr(results).startswith("Classifications([Classification('sea'")
    assert results[:1] == (results[0],)
    shown = results._repr_html_()
    assert "<td>sea</td>" in shown
    assert "<b>bank" not in shown
    assert repr(Classifier(FakeEmbedder())) == "Classifier(FakeEmbedder(dimensions=32))"
