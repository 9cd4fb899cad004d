"""RemoteClassifier labels as a Classifier does: on our own server, and by what Jina's answers."""

from __future__ import annotations

import asyncio
import json
import pickle

import pytest
from local_server import http

from jina_components import Classifier, Image
from jina_components.errors import BusyError, ConfigError, InputError, UnknownNameError, WebError
from jina_components.remote import Remote, RemoteClassifier
from jina_components.types import Classifications
from jina_components.types.classified import Example

MODEL = "static-minilm-v1"
TEXTS = ["The match ended in a draw.", "Parliament votes on the budget.", "Knead the dough for ten minutes."]
LABELS = ["sports", "politics", "baking"]
EXAMPLES = [("a goal in the last minute", "sports"), ("the striker scored", "sports"), ("a law was passed", "politics"),
            ("voters go to the polls", "politics")]  # fmt: skip


@pytest.fixture
def classifier(service):
    with RemoteClassifier(Remote(service.url), model=MODEL) as classifier:
        yield classifier


def test_as_a_classifier_here(bundled_embedder, classifier):
    here = Classifier(bundled_embedder)
    for labels in (LABELS, {"s": "sports", "p": "politics and law"}, [" sports ", "politics"]):
        _same(classifier.classify(TEXTS, labels), here.classify(TEXTS, labels))
    assert classifier.classify([], LABELS) == Classifications()
    assert asyncio.run(classifier.aclassify(TEXTS, LABELS)) == classifier.classify(TEXTS, LABELS)


def test_groups_as_here(bundled_embedder, classifier):
    groups = {"topic": LABELS, "mood": {"good": "joyful", "bad": "sad"}}
    found, expected = (
        classifier.classify_groups(TEXTS, groups),
        Classifier(bundled_embedder).classify_groups(TEXTS, groups),
    )
    assert list(found) == ["topic", "mood"]
    for group in groups:
        _same(found[group], expected[group])
    assert found.usage.total_tokens > 0
    assert asyncio.run(classifier.aclassify_groups(TEXTS, groups)) == found


def test_examples_teach_as_here(bundled_embedder, classifier):
    here = Classifier(bundled_embedder)
    expected, found = here.train(EXAMPLES), classifier.train(EXAMPLES)
    assert (found.num_examples, found.labels, found.new_labels, found.version) == (
        expected.num_examples, expected.labels, expected.new_labels, expected.version,
    )  # fmt: skip
    _same(classifier.classify(TEXTS[:2]), here.classify(TEXTS[:2]))
    more = classifier.train([Example("bread from the oven", "baking")], num_iters=3)
    assert (more.new_labels, more.version) == (("baking",), 2)
    assert set(classifier.classify(TEXTS)[0].scores) == set(LABELS)
    assert classifier.train([]).num_examples == 0


def test_what_was_trained_is_kept_by_the_server(service, classifier):
    assert classifier.classifier_id is None
    classifier.train(EXAMPLES)
    expected = classifier.classify(TEXTS)
    for other in (
        pickle.loads(pickle.dumps(classifier)),
        RemoteClassifier(Remote(service.url), classifier_id=classifier.classifier_id),
        RemoteClassifier.from_dict(classifier.to_dict()),
    ):
        with other:
            assert other.classifier_id == classifier.classifier_id
            assert other.classify(TEXTS) == expected


def test_it_abstains_below_the_threshold(service):
    with RemoteClassifier(Remote(service.url), model=MODEL, threshold=1.0) as classifier:
        [found] = classifier.classify(TEXTS[:1], LABELS)
    assert (found.label, found.labels) == (None, ())
    assert found.score == max(found.scores.values())


def test_what_the_server_refuses(service, classifier):
    remote = Remote(service.url)
    with RemoteClassifier(remote, model="no-such-model") as other, pytest.raises(UnknownNameError, match="no-such"):
        other.classify(TEXTS, LABELS)
    with RemoteClassifier(remote, classifier_id="nobodys") as other, pytest.raises(UnknownNameError):
        other.classify(TEXTS)
    with pytest.raises(InputError, match="image") as caught:
        classifier.classify([TEXTS[0], Image("data:image/png;base64,iVBORw0KGgoAAAANSUhEUg")], LABELS)
    assert caught.value.index == 1
    with pytest.raises(InputError, match="labels"):
        classifier.train(EXAMPLES[:2])


@pytest.mark.parametrize(
    ("inputs", "labels", "match"),
    [
        ("a text", LABELS, "inputs"), ([""], LABELS, r"inputs\[0\]"), ([3], LABELS, r"inputs\[0\]"),
        (TEXTS, "sports", "labels"), (TEXTS, [], "labels"), (TEXTS, ["one"], "at least 2"),
        (TEXTS, ["a", "a "], "twice"), (TEXTS, ["a", ""], "labels"), (TEXTS, {"a": "x", "b": 3}, "labels"),
        ([Image("missing.png")], LABELS, r"inputs\[0\].*missing.png"),
    ],
)  # fmt: skip
def test_what_is_nothing_to_classify(classifier, inputs, labels, match):
    with pytest.raises(InputError, match=match):
        classifier.classify(inputs, labels)


def test_what_is_nothing_to_learn(classifier):
    for examples in ("text", [3], [("text",)], [("", "label")], [("text", "")]):
        with pytest.raises(InputError):
            classifier.train(examples)
    with pytest.raises(InputError, match="num_iters"):
        classifier.train(EXAMPLES, num_iters=0)


def test_settings_that_make_no_sense(service, classifier):
    for settings in ({}, {"model": ""}, {"model": MODEL, "threshold": 2}):
        with pytest.raises(ConfigError):
            RemoteClassifier(Remote(), **settings)
    with pytest.raises(ConfigError, match="Nothing has been learned"):
        classifier.classify(TEXTS)
    with (
        RemoteClassifier(Remote(service.url), classifier_id="some") as other,
        pytest.raises(ConfigError, match="model"),
    ):
        other.classify(TEXTS, LABELS)


def test_many_go_in_several_requests(server):
    async def answer(request, writer):
        count = len(json.loads(request.body)["input"])
        if count == 88:
            errors = [{"field": "body -> input -> 5", "message": "too long"}]
            body = json.dumps({"detail": "Validation error(s)", "errors": errors}).encode()
            writer.write(http(422, body, content_type="application/json"))
        else:
            writer.write(http(body=json.dumps(_answered(count)).encode(), content_type="application/json"))
        await writer.drain()

    server.routes["/v1/classify"] = answer
    with RemoteClassifier(Remote(server.url("")), model=MODEL) as classifier:
        results = classifier.classify(["a text"] * 1025, ["a", "b"])
        assert len(results) == 1025
        assert results.usage.total_tokens == 3 * 7
        assert [len(json.loads(each.body)["input"]) for each in server.received] == [512, 512, 1]
        with pytest.raises(InputError) as caught:
            classifier.classify(["a text"] * 600, ["a", "b"])
        assert caught.value.index == 517


def test_images_are_sent(server, tmp_path):
    png = b"\x89PNG\r\n\x1a\n0000"
    (tmp_path / "a.png").write_bytes(png)
    server.routes["/v1/classify"] = [_json(_answered(4))]
    with RemoteClassifier(Remote(server.url("")), model="jina-clip-v2") as classifier:
        classifier.classify(["a text", Image(png), Image(tmp_path / "a.png"), Image("https://e.org/a.png")], ["a", "b"])
    uri = "data:image/png;base64,iVBORw0KGgowMDAw"
    assert json.loads(server.received[0].body) == {
        "model": "jina-clip-v2", "labels": ["a", "b"],
        "input": [{"text": "a text"}, {"image": uri}, {"image": uri}, {"image": "https://e.org/a.png"}],
    }  # fmt: skip


def test_teaching_is_not_sent_twice(server):
    server.routes["/v1/train"] = [
        http(503),
        _json({"classifier_id": "abc", "num_samples": 4, "usage": {"total_tokens": 40}}),
    ]
    with RemoteClassifier(Remote(server.url("")), model=MODEL, public=True) as classifier:
        with pytest.raises(WebError):
            classifier.train(EXAMPLES)
        assert len(server.received) == 1
        assert classifier.classifier_id is None
        assert classifier.train(EXAMPLES).usage.total_tokens == 40
        assert json.loads(server.received[1].body)["access"] == "public"
        server.routes["/v1/train"] = [_json({"detail": "busy", "code": "CONFLICT_RESOURCE_BUSY"}, 409)]
        with pytest.raises(BusyError, match="busy"):
            classifier.train(EXAMPLES)
        assert json.loads(server.received[2].body)["classifier_id"] == "abc"


OUT_OF_FORM = [
        {}, {"data": None}, {"data": {}}, {"data": []}, {"data": [3]}, {"data": [{"index": 0}]},
        {"data": [{"index": 1, "predictions": []}]}, {"data": [{"index": "0", "predictions": []}]},
        *({"data": [{"index": 0, "predictions": wrong}]} for wrong in
          ([], [3], {"a": 1}, [{"label": "a", "score": 1}], [{"label": "a", "score": "1"}, {"label": "b", "score": 0}],
           [{"label": "a"}, {"label": "b"}])),
        {"data": [{"index": 0, "predictions": [{"label": "a", "score": 1}, {"label": "b", "score": 0}]}], "usage": 3},
]  # fmt: skip


def test_answers_out_of_form(server):
    with RemoteClassifier(Remote(server.url("")), model=MODEL) as classifier:
        for body in OUT_OF_FORM:
            server.routes["/v1/classify"] = [_json(body)]
            with pytest.raises(WebError, match="out of form"):
                classifier.classify(["a text"], ["a", "b"])
            with pytest.raises(WebError, match="out of form"):
                classifier.classify_groups(["a text"], {"one": ["a", "b"]})
        for body in ({}, {"classifier_id": 3}, {"classifier_id": ""}, {"classifier_id": "a", "usage": []}):
            server.routes["/v1/train"] = [_json(body)]
            with pytest.raises(WebError, match="out of form"):
                classifier.train(EXAMPLES)


def _same(found, expected):
    assert [each.label for each in found] == [each.label for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert list(one.scores) == list(other.scores)
        assert list(one.scores.values()) == pytest.approx(list(other.scores.values()), abs=1e-5)


def _answered(count):
    predictions = [{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]
    row = {"object": "classification", "prediction": "a", "score": 0.75, "predictions": predictions}
    return {"usage": {"total_tokens": 7}, "data": [{**row, "index": index} for index in range(count)]}


def _json(body, status=200):
    return http(status, json.dumps(body).encode(), content_type="application/json")
