import asyncio
import pickle
import threading

import numpy as np
import pytest
from classifier_samples import COOKING, EXAMPLES, SPORTS, BlockingEmbedder, SeeingEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import Embedder, Image
from jina_components.classifier import Classifier
from jina_components.errors import BusyError, ConfigError, InputError
from jina_components.testing import FakeEmbedder
from jina_components.types import Usage
from jina_components.types.classified import Example, Training


def test_labels_are_learned_from_examples(bundled_embedder):
    classifier = Classifier(bundled_embedder)
    training = classifier.train(EXAMPLES)
    assert (training.num_examples, training.labels, training.new_labels, training.version) == (
        8, ("sports", "cooking"), ("sports", "cooking"), 1,
    )  # fmt: skip
    texts = [text for text, _ in EXAMPLES]
    names = ["sports", "Topic: sports", "cooking", "Topic: cooking"]
    assert training.usage == bundled_embedder.embed([*texts, *names], task="classification").usage
    results = classifier.classify(["the player scored a goal", "salt the bread before the oven"])
    assert [result.label for result in results] == ["sports", "cooking"]
    assert all(sum(result.scores.values()) == pytest.approx(1, abs=1e-5) for result in results)
    assert classifier.labels == ("sports", "cooking")
    assert repr(classifier) == f"Classifier({bundled_embedder!r})"


def test_more_examples_and_new_labels_at_any_time(bundled_embedder):
    classifier = Classifier(bundled_embedder)
    classifier.train(EXAMPLES)
    music = ["she plays the violin", "the band sang a song", "a concert for piano", "the choir sang"]
    training = classifier.train([Example(text, " music ") for text in music])
    assert training.new_labels == ("music",)
    assert training.labels == ("sports", "cooking", "music")
    assert (training.version, classifier.version) == (2, 2)
    results = classifier.classify(["they sang to the violin", "the team scored", "bake bread"])
    assert [result.label for result in results] == ["music", "sports", "cooking"]


def test_given_labels_are_zero_shot_beside_what_was_learned():
    classifier = Classifier(FakeEmbedder())
    classifier.train(EXAMPLES)
    [result] = classifier.classify(["calm sea"], ["sea", "bank"])
    assert list(result.scores) == ["sea", "bank"]


def test_images_are_learned_too():
    embedder = SeeingEmbedder()
    classifier = Classifier(embedder, use_label_names=False)
    training = classifier.train([(Image(b"green leaf"), "plant"), ("grey rock", "stone"), (Image(b"leaf"), "plant")])
    assert training.usage == Usage(5)
    assert classifier.classify([Image(b"leaf green")])[0].label == "plant"


@pytest.mark.parametrize(
    ("examples", "index", "message"),
    [
        ("text", None, "examples must be a list"),
        ([("a", "x"), ("b",)], 1, r"examples\[1\] must be a pair"),
        ([("a", "x"), "b"], 1, r"examples\[1\] must be a pair"),
        ([("a", "x"), (" ", "y")], 1, r"examples\[1\] is empty"),
        ([("a", "x"), ("b", " ")], 1, r"examples\[1\]: the label is empty"),
        ([("a", "x"), ("b", 3)], 1, r"examples\[1\]: the label must be str, got int"),
        ([("a", "x"), ("b", "\udc00")], 1, r"examples\[1\]: the label is not valid Unicode"),
        ([("a", "x"), (Image(b"x"), "y")], 1, r"examples\[1\] is an image"),
        ([("a", "x"), Example(None, "y")], 1, r"examples\[1\] must be str"),
    ],
)
def test_one_wrong_example_leaves_all_as_it_was(examples, index, message):
    classifier = Classifier(FakeEmbedder())
    classifier.train(EXAMPLES)
    before = classifier.classify(SPORTS)
    with pytest.raises(InputError, match=message) as raised:
        classifier.train(examples)
    assert raised.value.index == index
    assert classifier.classify(SPORTS) == before
    assert classifier.version == 1


def test_what_the_embedder_refuses_leaves_all_as_it_was(bundled_embedder, tmp_path):
    classifier = Classifier(bundled_embedder, path=tmp_path / "c")
    many = [("fine", "x")] * 1500
    with pytest.raises(InputError, match=r"^examples\[1500\] is not valid Unicode") as raised:
        classifier.train([*many, ("bad \ud800", "y")])
    assert raised.value.index == 1500
    assert (classifier.labels, classifier.version) == ((), 0)
    classifier.train(EXAMPLES)
    assert classifier.version == 1


def test_names_of_labels_are_learned_from_unless_they_are_codes(bundled_embedder):
    examples = [("the team won", "sports"), ("stir the soup", "cooking")]
    texts = ["football championship", "a kitchen recipe"]
    named, unnamed = (Classifier(bundled_embedder, use_label_names=use) for use in (True, False))
    for classifier in (named, unnamed):
        classifier.train(examples)
    for one, other, label in zip(named.classify(texts), unnamed.classify(texts), ("sports", "cooking"), strict=True):
        assert one.label == label
        assert one.scores[label] > other.scores[label]
    codes = [(text, label) for (text, _), label in zip(examples, ("1", "2"), strict=True)]
    coded, uncoded = (Classifier(bundled_embedder, use_label_names=use) for use in (True, False))
    assert coded.train(codes) == uncoded.train(codes)
    assert coded.classify(texts) == uncoded.classify(texts)


def test_a_label_that_the_embedder_refuses_is_told_by_its_example(minilm_folder):
    with Embedder(minilm_folder) as embedder:
        classifier = Classifier(embedder)
        with pytest.raises(InputError, match=r"^examples\[2\]: labels\['word word.*tokens") as raised:
            classifier.train([("a", "x"), ("b", "x"), ("c", "word " * 3000)])
    assert raised.value.index == 2
    assert classifier.version == 0


def test_no_examples_change_nothing():
    classifier = Classifier(FakeEmbedder())
    assert classifier.train([]) == Training(0, (), (), 0)
    classifier.train(EXAMPLES)
    assert classifier.train([]) == Training(0, ("sports", "cooking"), (), 1)


def test_there_must_be_labels_to_choose_from():
    classifier = Classifier(FakeEmbedder())
    with pytest.raises(ConfigError, match=r"two labels at least, and nothing has been learned: train\(\)"):
        classifier.classify(["x"])
    classifier.train([("a", "x")])
    with pytest.raises(ConfigError, match="two labels at least, and only the label 'x' has been learned"):
        classifier.classify(["x"])


def test_learned_labels_are_exclusive():
    classifier = Classifier(FakeEmbedder(), multi_label=True)
    for call in (lambda: classifier.train(EXAMPLES), lambda: classifier.classify(["x"])):
        with pytest.raises(ConfigError, match="leave multi_label out"):
            call()


@pytest.mark.parametrize("count", [0, -1, 1.5, True, None])
def test_the_number_of_iterations_is_checked(count):
    with pytest.raises(InputError, match="num_iters"):
        Classifier(FakeEmbedder()).train(EXAMPLES, num_iters=count)


@settings(max_examples=20, deadline=None)
@given(st.permutations(SPORTS + COOKING), st.floats(0, 1))
def test_inputs_are_labelled_alone_and_abstain_by_threshold(texts, threshold):
    classifier = Classifier(FakeEmbedder(), threshold=threshold)
    classifier.train(EXAMPLES)
    for text, result in zip(texts, classifier.classify(texts), strict=True):
        [alone] = classifier.classify([text])
        assert result.scores == pytest.approx(alone.scores, abs=1e-5)
        assert (result.label is None) == (result.score < threshold)


def test_one_trains_at_a_time():
    embedder = BlockingEmbedder()
    classifier = Classifier(embedder)
    classifier.train(EXAMPLES)
    trainings = []
    thread = threading.Thread(target=lambda: trainings.append(classifier.train([("wait", "slow")])))
    thread.start()
    assert embedder.is_waiting.wait(30)
    with pytest.raises(BusyError, match="try again later"):
        classifier.train(EXAMPLES)
    assert classifier.classify(["goal match"])[0].label == "sports"
    embedder.go_on.set()
    thread.join(30)
    assert trainings[0].version == 2
    assert classifier.train(EXAMPLES).version == 3


async def test_the_async_twins_do_the_same(bundled_embedder):
    one, other = Classifier(bundled_embedder), Classifier(bundled_embedder)
    assert await one.atrain(EXAMPLES) == other.train(EXAMPLES)
    assert await one.aclassify(SPORTS) == other.classify(SPORTS)
    assert await one.aevaluate(EXAMPLES) == other.evaluate(EXAMPLES)


async def test_a_cancelled_training_changes_nothing():
    embedder = BlockingEmbedder()
    classifier = Classifier(embedder)
    task = asyncio.ensure_future(classifier.atrain([("wait", "x")] * 3000))
    await asyncio.to_thread(embedder.is_waiting.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    embedder.go_on.set()
    while True:  # until the thread has seen it
        try:
            classifier.train([])
            training = classifier.train(EXAMPLES)
        except BusyError:
            await asyncio.sleep(0.01)
        else:
            break
    assert training.version == 1
    assert training.labels == ("sports", "cooking")


def test_it_pickles_as_its_settings_unless_that_would_lose_what_was_learned(tmp_path):
    classifier = Classifier(FakeEmbedder(), threshold=0.3)
    assert pickle.loads(pickle.dumps(classifier)).classify(["sea"], ["sea", "bank"])
    classifier.train(EXAMPLES)
    with pytest.raises(InputError, match=r"save\(\) it, and open Classifier\(embedder, path=…\)"):
        pickle.dumps(classifier)
    classifier.save(tmp_path / "saved")
    opened = Classifier(FakeEmbedder(), threshold=0.3, path=tmp_path / "saved")
    opened.train([("more of it", "more")])
    assert pickle.loads(pickle.dumps(opened)).classify(SPORTS) == opened.classify(SPORTS)


def test_closing_keeps_what_was_learned():
    with Classifier(FakeEmbedder()) as classifier:
        classifier.train(EXAMPLES)
        expected = classifier.classify(SPORTS)
    assert classifier.classify(SPORTS) == expected
    assert np.isfinite(expected[0].score)
