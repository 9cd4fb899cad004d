from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from contextlib import closing
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from langchain_core.load import dumps, loads
from langchain_core.runnables import ConfigurableField, Runnable, RunnableLambda
from langchain_jina_components import JinaClassifier
from langchain_parts import KEY, Seen
from pydantic import ValidationError
from running_service import Served
from test_embedder_images import file_of, picture, save_clip

from jina_components import Classifier, Embedder, Image
from jina_components.errors import ConfigError, InputError
from jina_components.remote import Remote, RemoteClassifier

MODEL = "static-minilm-v1"
LABELS = ["sports", "politics", "food"]
TEXTS = ["The football match ended in a draw.", "Parliament passed the law.", "Bread is baked of flour."]


@pytest.fixture(params=["here", "there"])
def classifier(request: pytest.FixtureRequest, jina: Served) -> Iterator[JinaClassifier]:
    settings = {"here": {"model": "small-embedding-v1"}, "there": {"jina_api_key": KEY, "base_url": jina.url}}
    with closing(JinaClassifier(labels=LABELS, **settings[request.param])) as made:
        yield made


def labels_of(found: Any) -> Any:
    return [labels_of(each) for each in found] if isinstance(found, list) else found.label


class TestRunnable:
    def test_one_or_several(self, classifier: JinaClassifier) -> None:
        assert isinstance(classifier, Runnable)
        assert [labels_of(classifier.invoke(text)) for text in TEXTS] == LABELS
        assert labels_of(classifier.invoke(TEXTS)) == LABELS
        assert labels_of(classifier.invoke(tuple(TEXTS))) == LABELS
        assert classifier.invoke([]) == []

    def test_batches(self, classifier: JinaClassifier) -> None:
        assert labels_of(classifier.batch([*TEXTS])) == LABELS
        assert labels_of(classifier.batch([TEXTS[0], TEXTS[1:], []])) == [LABELS[0], LABELS[1:], []]
        assert classifier.batch([]) == []

    async def test_async_gives_the_same(self, classifier: JinaClassifier) -> None:
        assert labels_of(await classifier.ainvoke(TEXTS[0])) == LABELS[0]
        assert labels_of(await classifier.abatch([*TEXTS])) == LABELS
        assert labels_of(classifier.invoke(TEXTS)) == LABELS  # within a running loop, as in a notebook
        several = await asyncio.gather(*(classifier.ainvoke(TEXTS) for _ in range(4)))
        assert labels_of([*several]) == [LABELS] * 4

    async def test_streams_and_chains(self, classifier: JinaClassifier) -> None:
        chain = classifier | RunnableLambda(lambda found: found.label)
        assert chain.invoke(TEXTS[1]) == "politics"
        assert list(chain.stream(TEXTS[1])) == ["politics"]
        assert [each async for each in chain.astream(TEXTS[1])] == ["politics"]

    def test_labels_of_a_call(self, classifier: JinaClassifier) -> None:
        labels = {"animal": "about animals", "weather": "about rain, sun and snow"}
        assert labels_of(classifier.invoke("Rain is due.", labels=labels)) == "weather"
        assert labels_of(classifier.bind(labels=labels).batch(["Rain is due."])) == ["weather"]
        assert labels_of(classifier.invoke(TEXTS[0])) == "sports"

    def test_each_may_fail_for_itself(self, classifier: JinaClassifier) -> None:
        with pytest.raises(InputError):
            classifier.batch([TEXTS[0], " "])
        good, bad = classifier.batch([TEXTS[0], " "], return_exceptions=True)
        assert labels_of(good) == "sports"
        assert isinstance(bad, InputError)
        again = asyncio.run(classifier.abatch([TEXTS[0], " "], return_exceptions=True))
        assert [type(each) for each in again] == [type(good), InputError]

    def test_is_seen_by_callbacks(self, classifier: JinaClassifier) -> None:
        seen = Seen()
        config: Any = {"callbacks": [seen], "tags": ["mine"], "run_name": "labels"}
        classifier.invoke(TEXTS[0], {"callbacks": [seen]})
        classifier.batch([*TEXTS[:2]], config)
        asyncio.run(classifier.ainvoke(TEXTS[0], config))
        names = ["JinaClassifier", "labels", "labels", "labels"]
        assert [name for event, name in seen.events if event == "chain starts"] == names
        assert [name for event, name in seen.events if event == "chain ends"] == names
        assert seen.tags == ["mine"] * 3
        with pytest.raises(InputError):
            classifier.invoke(" ", {"callbacks": [seen]})
        assert seen.events[-1] == ("chain fails: InputError", "JinaClassifier")

    def test_pickles(self, classifier: JinaClassifier) -> None:
        with closing(pickle.loads(pickle.dumps(classifier))) as copied:
            assert labels_of(copied.invoke(TEXTS)) == LABELS

    @pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
    def test_what_is_written_down_makes_it_again(
        self, classifier: JinaClassifier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if classifier.jina_api_key:
            monkeypatch.setenv("JINA_API_KEY", KEY)
        written = dumps(classifier)
        assert KEY not in written
        options: dict[str, Any] = {"valid_namespaces": ["langchain_jina_components"], "secrets_from_env": True}
        if "allowed_objects" in signature(loads).parameters:  # which older versions lack
            options["allowed_objects"] = [JinaClassifier]
        with closing(loads(written, **options)) as made:
            assert made.model_dump() == classifier.model_dump()
            assert labels_of(made.invoke(TEXTS)) == LABELS


def test_a_batch_is_embedded_at_once() -> None:
    class Counting(Classifier):
        calls = 0

        def classify(self, *args: Any, **options: Any) -> Any:
            type(self).calls += 1
            return super().classify(*args, **options)

    classifier = JinaClassifier(classifier=Counting(Embedder(MODEL)), labels=LABELS)
    classifier.batch(TEXTS * 10)
    assert Counting.calls == 1


def test_one_that_was_trained(tmp_path: Path) -> None:
    ours = Classifier(Embedder(MODEL), path=tmp_path / "trained")
    ours.train([("I love it", "good"), ("great", "good"), ("I hate it", "bad"), ("awful", "bad")])
    classifier = JinaClassifier(classifier=ours)
    assert labels_of(classifier.invoke(["I love that", "that is awful"])) == ["good", "bad"]
    assert labels_of(classifier.invoke(TEXTS[0], labels=LABELS)) == "sports"
    assert labels_of(pickle.loads(pickle.dumps(classifier)).invoke("I love that")) == "good"


def test_one_that_was_trained_on_the_server(jina: Served) -> None:
    ours = RemoteClassifier(Remote(jina.url, api_key=None), model="jina-embeddings-v3")
    ours.train([("I love it", "good"), ("great", "good"), ("I hate it", "bad"), ("awful", "bad")])
    with closing(JinaClassifier(base_url=jina.url, classifier_id=ours.classifier_id)) as classifier:
        assert labels_of(classifier.invoke(["I love that", "that is awful"])) == ["good", "bad"]
    assert labels_of(JinaClassifier(classifier=ours).invoke("I love that")) == "good"
    ours.close()


def test_images(tmp_path: Path) -> None:
    clip = save_clip(tmp_path / "jina-clip-v2", "jina-clip-v2")
    classifier = JinaClassifier(model=str(clip), labels=["a cat on a mat", "the sea at night"])
    image = Image(file_of(picture(1)))
    one, (two, three) = classifier.batch([image, [image, "a cat"]])
    assert one == two
    assert three != two
    assert sum(one.scores.values()) == pytest.approx(1)


def test_schemas(jina: Served) -> None:
    classifier = JinaClassifier(labels=LABELS)
    assert classifier.get_input_jsonschema()["anyOf"][0] == {"type": "string"}
    schema = classifier.get_output_jsonschema()
    assert set(schema["$defs"]["Classification"]["properties"]) == {"label", "score", "scores", "labels"}
    assert classifier.get_name() == "JinaClassifier"


def test_settings_may_be_chosen_with_a_call() -> None:
    ours = Classifier(Embedder(MODEL))
    for classifier in (JinaClassifier(classifier=ours, labels=LABELS), JinaClassifier(model=MODEL, labels=LABELS)):
        chosen = classifier.configurable_fields(labels=ConfigurableField(id="labels"))
        config: Any = {"configurable": {"labels": ["animals", "weather"]}}
        assert labels_of(chosen.invoke("Rain is due.", config)) == "weather"


def test_mistakes_are_told() -> None:
    ours = Classifier(Embedder(MODEL))
    for settings in ({"jina_api_key": KEY}, {"model": "a"}, {"classifier_id": "b"}, {"base_url": "http://localhost:1"}):
        with pytest.raises(ConfigError, match=f"either classifier or settings of one; got {next(iter(settings))} too"):
            JinaClassifier(classifier=ours, **settings)
    with pytest.raises(ConfigError, match="classifier_id is of a classifier on a server"):
        JinaClassifier(classifier_id="a")
    with pytest.raises(ConfigError, match="label"):
        JinaClassifier(model=MODEL).invoke("a")
    with pytest.raises(InputError, match=r"str"):
        JinaClassifier(classifier=ours, labels=LABELS).invoke([3])  # type: ignore[list-item]
    with pytest.raises(ValidationError, match="label"):
        JinaClassifier(label=LABELS)  # type: ignore[call-arg]
