"""`/v1/classify`, `/v1/train` and `/v1/classifiers`."""

import asyncio
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx
import pytest
from starlette.testclient import TestClient

from jina_components import Embedder
from jina_components.classifier import Classifier
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.service import Components, Limits, ServiceSettings

MODEL = DEFAULT_EMBEDDER
LABELS = ["politics", "sports", "cooking"]
TEXTS = ["The match ended in a draw.", "Stir the soup and add salt."]
EXAMPLES = [
    {"text": "the team won the match", "label": "sports"},
    {"text": "a goal in the last minute", "label": "sports"},
    {"text": "bake the bread in the oven", "label": "cooking"},
    {"text": "add salt to the soup", "label": "cooking"},
]
ZERO_SHOT = {"model": MODEL, "input": TEXTS, "labels": LABELS}


@pytest.fixture(scope="module")
def expected():
    with Embedder() as embedder:
        yield Classifier(embedder).classify(TEXTS, LABELS)


def as_user(key):
    return {"headers": {"authorization": f"Bearer {key}"}}


@pytest.fixture
def ann(client):
    """Posts as a user."""
    return lambda path, asked: client.post(path, json=asked, **as_user("ann"))


@pytest.fixture
def trained(client):
    made = []

    def train(key="ann", **more):
        answer = client.post("/v1/train", json={"model": MODEL, "input": EXAMPLES, **more}, **as_user(key))
        assert answer.status_code == 200, answer.text
        made.append((key, answer.json()["classifier_id"]))
        return made[-1][1]

    yield train
    for key, made_id in made:
        client.delete(f"/v1/classifiers/{made_id}", **as_user(key))


def listed(client, key="ann"):
    answer = client.get("/v1/classifiers", **as_user(key))
    assert answer.status_code == 200
    return answer.json()


# --- labels by what they mean ----------------------------------------------------------------------------------


def test_each_input_has_the_probabilities_of_all_labels(client, expected):
    answer = client.post("/v1/classify", json=ZERO_SHOT).json()
    for index, (one, wanted) in enumerate(zip(answer["data"], expected, strict=True)):
        assert one == {
            "object": "classification",
            "index": index,
            "prediction": ["sports", "cooking"][index],
            "score": pytest.approx(wanted.score),
            "predictions": [{"label": label, "score": pytest.approx(score)} for label, score in wanted.scores.items()],
        }
        assert [each["label"] for each in one["predictions"]] == LABELS
        assert sum(each["score"] for each in one["predictions"]) == pytest.approx(1)
    tokens = expected.uncached_usage.total_tokens
    assert answer["usage"] == {"total_tokens": tokens, "prompt_tokens": tokens}
    assert client.post("/v1/classify", json=ZERO_SHOT).json() == answer


def test_an_input_may_be_alone_or_an_object(client):
    whole = client.post("/v1/classify", json=ZERO_SHOT).json()["data"]
    for one in (TEXTS[0], {"text": TEXTS[0]}, [{"text": TEXTS[0], "id": 3}]):
        [alone] = client.post("/v1/classify", json=ZERO_SHOT | {"input": one}).json()["data"]
        assert (alone["prediction"], alone["score"]) == (whole[0]["prediction"], pytest.approx(whole[0]["score"]))


def test_groups_of_labels_are_chosen_from_each_on_its_own(client):
    groups = {"topic": LABELS, " tone": ["calm ", "angry"]}
    answer = client.post("/v1/classify", json=ZERO_SHOT | {"labels": groups}).json()
    flat = client.post("/v1/classify", json=ZERO_SHOT).json()
    for index, one in enumerate(answer["data"]):
        assert (one["object"], one["index"]) == ("classification", index)
        for field in ("prediction", "score", "predictions"):
            assert list(one[field]) == ["topic", " tone"]
        assert [each["label"] for each in one["predictions"][" tone"]] == ["calm ", "angry"]
        assert one["prediction"][" tone"] in ("calm ", "angry")
        assert sum(each["score"] for each in one["predictions"][" tone"]) == pytest.approx(1)
        assert one["prediction"]["topic"] == flat["data"][index]["prediction"]
        assert one["score"]["topic"] == pytest.approx(flat["data"][index]["score"], abs=1e-6)
    assert answer["usage"]["total_tokens"] > flat["usage"]["total_tokens"]


@pytest.mark.parametrize(
    ("wrong", "field", "kind"),
    [
        ({"labels": ["a"]}, "labels", "too_short"),
        ({"labels": []}, "labels", "too_short"),
        ({"labels": {}}, "labels", "too_short"),
        ({"labels": {"group": ["a"]}}, "labels -> group", "too_short"),
        ({"labels": ["a", " "]}, "labels -> 1", "value_error"),
        ({"labels": ["a", "b", "a "]}, "labels -> 2", "value_error"),
        ({"labels": {"a": LABELS, "a ": LABELS}}, "labels -> 1", "value_error"),
        ({"labels": {"\ud83d": LABELS}}, "labels -> 0", "value_error"),
        ({"labels": 5}, "labels", "list_type"),
        ({"labels": ["a", 5]}, "labels", "list_type"),
        ({"labels": {"a": "b"}}, "labels", "list_type"),
        ({"labels": None}, "labels", "missing"),
        ({"model": None}, "model", "missing"),
        ({"classifier_id": "x"}, "labels", "value_error"),
        ({"input": []}, "input", "too_short"),
        ({"input": None}, "input -> 0", "string_type"),
        ({"input": ["a", ""]}, "input -> 1", "value_error"),
        ({"input": ["a", {"title": "b"}]}, "input -> 1", "missing"),
        ({"input": ["a"] * 1025}, "input", "too_long"),
    ],
)
def test_what_does_not_fit_is_named(client, wrong, field, kind):
    body = json.dumps(ZERO_SHOT | wrong).encode()
    answer = client.post("/v1/classify", content=body, headers={"content-type": "application/json"})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "INPUT_VALIDATION"), told
    assert [(each["field"], each["type"]) for each in told["errors"]] == [(f"body -> {field}", kind)]


@pytest.mark.parametrize(
    ("wrong", "code", "numbers"),
    [
        ({"model": "jina-embeddings-v9"}, "INPUT_MODEL_NOT_FOUND", ()),
        ({"model": "small-reranker-v1"}, "INPUT_MODEL_NOT_FOUND", ()),
        ({"model": "static-minilm-v1-maxsim"}, "INPUT_MODEL_NOT_FOUND", ()),
        ({"input": ["short", "word " * 600]}, "INPUT_TOKEN_LIMIT_EXCEEDED", ("inputs[1]", "512")),
        ({"labels": ["short", "word " * 600]}, "INPUT_TOKEN_LIMIT_EXCEEDED", ("labels[", "512")),
        ({"labels": [str(number) for number in range(513)]}, "INPUT_LABEL_LIMIT_EXCEEDED", ("513", "512")),
        ({"labels": {"a": [str(number) for number in range(65)]}}, "INPUT_LABEL_LIMIT_EXCEEDED", ("65", "64")),
        ({"labels": {str(number): LABELS for number in range(9)}}, "INPUT_LABEL_LIMIT_EXCEEDED", ("9", "8")),
    ],
)
def test_what_cannot_be_done_has_its_code(client, wrong, code, numbers):
    answer = client.post("/v1/classify", json=ZERO_SHOT | wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert all(number in answer.json()["detail"] for number in numbers)


# --- labels that were learned ----------------------------------------------------------------------------------


def test_a_classifier_is_trained_used_taught_more_listed_and_deleted(client, ann):
    answer = ann("/v1/train", {"model": MODEL, "input": EXAMPLES, "num_iters": 3})
    made = answer.json()
    made_id = made["classifier_id"]
    assert (answer.status_code, str(uuid.UUID(made_id)), made["num_samples"]) == (200, made_id, 4)
    assert made["usage"]["total_tokens"] == made["usage"]["prompt_tokens"] > 0
    assert made["usage"]["total_tokens"] % 3 == 0

    said = ann("/v1/classify", {"classifier_id": made_id, "input": TEXTS}).json()
    assert [one["prediction"] for one in said["data"]] == ["sports", "cooking"]
    for one in said["data"]:
        assert [each["label"] for each in one["predictions"]] == ["sports", "cooking"]
        assert sum(each["score"] for each in one["predictions"]) == pytest.approx(1)
        assert one["score"] == max(each["score"] for each in one["predictions"])
    assert 0 < said["usage"]["total_tokens"] < 30

    more = ann("/v1/train", {"classifier_id": made_id, "input": {"text": "rain and wind", "label": "weather"}}).json()
    assert (more["classifier_id"], more["num_samples"]) == (made_id, 1)
    [item] = listed(client)
    assert client.post("/v1/classifiers", **as_user("ann")).json() == [item]
    for name in ("created_at", "updated_at", "used_at"):
        assert datetime.fromisoformat(item.pop(name)).utcoffset().total_seconds() == 0
    assert str(uuid.UUID(item["user_id"])) == item.pop("user_id")
    assert item == {
        "classifier_id": made_id, "model": MODEL, "model_name": MODEL, "labels": ["sports", "cooking", "weather"],
        "access": "private", "updated_number": 2, "used_number": 1, "is_active": True, "is_latest": True,
        "metadata_": {}, "metadata": {},
    }  # fmt: skip

    gone = client.delete(f"/v1/classifiers/{made_id}", **as_user("ann"))
    assert (gone.status_code, gone.json()) == (200, {"classifier_id": made_id, "deleted": True})
    assert listed(client) == []
    assert ann("/v1/classify", {"classifier_id": made_id, "input": TEXTS}).status_code == 404


def test_what_is_anothers_is_as_unknown_as_what_is_not_there(client, trained):
    private, public = trained("ann"), trained("ann", access="public")
    assert [(item["classifier_id"], item["access"]) for item in listed(client)] == [
        (private, "private"),
        (public, "public"),
    ]
    assert listed(client, "bob") == []
    shared = client.post("/v1/classify", json={"classifier_id": public, "input": TEXTS}, **as_user("bob"))
    assert [one["prediction"] for one in shared.json()["data"]] == ["sports", "cooking"]
    unknown = str(uuid.uuid4())
    refused = [
        *(
            client.post("/v1/classify", json={"classifier_id": made_id, "input": TEXTS}, **as_user("bob"))
            for made_id in (private, unknown, "x", "")
        ),
        *(
            client.post("/v1/train", json={"classifier_id": made_id, "input": EXAMPLES}, **as_user("bob"))
            for made_id in (private, public, unknown)
        ),
        *(client.delete(f"/v1/classifiers/{made_id}", **as_user("bob")) for made_id in (private, public, unknown, "x")),
        client.post("/v1/classify", json={"classifier_id": private, "input": TEXTS}),
    ]
    told = [(answer.status_code, answer.json()["code"], answer.json()["detail"]) for answer in refused]
    assert set(told) == {(404, "RESOURCE_NOT_FOUND", "There is no such classifier, or it is another user's.")}
    users = {key: trained(key) and listed(client, key)[0]["user_id"] for key in ("ann", "bob")}
    assert len(set(users.values())) == 2
    assert listed(client)[-1]["user_id"] == users["ann"]


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        (EXAMPLES[:2], "at least 2 labels"),
        ([EXAMPLES[0], EXAMPLES[0] | {"label": " sports "}], "at least 2 labels"),
        (EXAMPLES[0], "at least 2 labels"),
        ([EXAMPLES[0], {"text": "a", "label": " "}], "input 1"),
    ],
)
def test_labels_that_nothing_can_be_learned_of_are_refused(client, ann, examples, words):
    answer = ann("/v1/train", {"model": MODEL, "input": examples})
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_INVALID_LABELS")
    assert words in answer.json()["detail"]
    assert listed(client) == []


@pytest.mark.parametrize(
    ("wrong", "status", "field"),
    [
        ({"model": None}, 422, "model"),
        ({"input": []}, 422, "input"),
        ({"input": [EXAMPLES[0], "text"]}, 422, "input -> 1"),
        ({"input": [*EXAMPLES, {"text": "a"}]}, 422, "input -> 4"),
        ({"input": [*EXAMPLES, {"text": "", "label": "a"}]}, 422, "input -> 4"),
        ({"input": [*EXAMPLES, {"text": "a", "label": 3}]}, 422, "input -> 4"),
        ({"input": EXAMPLES * 129}, 422, "input"),
        ({"access": "everybody"}, 422, "access"),
        ({"num_iters": 0}, 422, "num_iters"),
        ({"input": [*EXAMPLES, {"text": "word " * 600, "label": "a"}]}, 400, None),
        ({"model": "jina-embeddings-v9"}, 400, None),
    ],
)
def test_training_that_fails_leaves_no_classifier_behind(client, ann, service_app, wrong, status, field):
    answer = ann("/v1/train", {"model": MODEL, "input": EXAMPLES, **wrong})
    told = answer.json()
    assert answer.status_code == status, told
    assert [each["field"] for each in told.get("errors", [])] == ([f"body -> {field}"] if field else [])
    assert listed(client) == []
    folder = service_app.state.settings.data / "classifiers"
    assert not [path for path in folder.glob("*") if path.is_dir()]


class Waiting(Embedder):
    """An embedder that stops at a text until it is let go."""

    def __init__(self, **settings):
        super().__init__(MODEL, **settings)
        self.is_waiting, self.go_on = threading.Event(), threading.Event()

    def embed(self, inputs, **settings):
        if any("wait" in text for text in inputs):
            self.is_waiting.set()
            assert self.go_on.wait(60)
        return super().embed(inputs, **settings)


class WaitingComponents(Components):
    def _make_embedder(self, name):
        assert name == MODEL
        self.made = Waiting()
        return self.made


@pytest.fixture
def waiting(make_app, tmp_path):
    components = WaitingComponents(ServiceSettings(data=tmp_path, idle_seconds=None))
    with TestClient(make_app(components=components, data=tmp_path)) as client:
        yield client, components


def test_one_trains_at_a_time_and_others_classify_meanwhile(waiting):
    client, components = waiting
    made_id = client.post("/v1/train", json={"model": MODEL, "input": EXAMPLES}).json()["classifier_id"]
    slow = {"classifier_id": made_id, "input": {"text": "wait", "label": "slow"}}
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(client.post, "/v1/train", json=slow)
        try:
            assert components.made.is_waiting.wait(60)
            busy = [
                client.post("/v1/train", json={"classifier_id": made_id, "input": EXAMPLES}),
                client.delete(f"/v1/classifiers/{made_id}"),
            ]
            meanwhile = client.post("/v1/classify", json={"classifier_id": made_id, "input": TEXTS})
        finally:
            components.made.go_on.set()
        assert training.result(60).status_code == 200
    for answer in busy:
        told = answer.json()
        assert (answer.status_code, told["code"]) == (409, "CONFLICT_RESOURCE_BUSY")
        assert int(answer.headers["retry-after"]) > 0
        assert str(components.settings.data) not in told["detail"]
    assert [one["prediction"] for one in meanwhile.json()["data"]] == ["sports", "cooking"]


def test_an_embedder_is_not_taken_away_while_it_classifies_and_comes_back_afterwards(waiting):
    client, components = waiting
    made_id = client.post("/v1/train", json={"model": MODEL, "input": EXAMPLES}).json()["classifier_id"]
    first = components.made
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.post, "/v1/classify", json={"classifier_id": made_id, "input": "wait for the match"})
        try:
            assert first.is_waiting.wait(60)
            assert components.embedders.offload(0.0) == []
        finally:
            first.go_on.set()
        assert slow.result(60).status_code == 200
    assert components.embedders.offload(0.0) == [MODEL]
    again = client.post("/v1/classify", json={"classifier_id": made_id, "input": TEXTS})
    assert [one["prediction"] for one in again.json()["data"]] == ["sports", "cooking"]
    assert components.made is not first
    assert first.loaded is None


def test_labels_are_embedded_once(waiting):
    client, components = waiting
    asked = {"model": MODEL, "input": TEXTS, "labels": LABELS}
    first = client.post("/v1/classify", json=asked).json()
    calls = []
    components.made.embed = lambda inputs, **settings: (
        calls.append(list(inputs)) or Embedder.embed(components.made, inputs, **settings)
    )
    assert client.post("/v1/classify", json=asked).json() == first
    assert calls == [TEXTS]


def test_many_ask_at_once(make_app, start_service):
    async def ask(url):
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            made = [client.post("/v1/train", json={"model": MODEL, "input": EXAMPLES}) for _ in range(6)]
            ids = [answer.json()["classifier_id"] for answer in await asyncio.gather(*made)]
            few = [client.post("/v1/classify", json={"classifier_id": made_id, "input": TEXTS}) for made_id in ids * 3]
            zero = [client.post("/v1/classify", json=ZERO_SHOT) for _ in range(12)]
            answers = await asyncio.gather(*few, *zero)
            rows = (await client.get("/v1/classifiers")).json()
        return ids, answers, rows

    ids, answers, rows = asyncio.run(ask(start_service(make_app())))
    for answer in answers:
        assert [one["prediction"] for one in answer.json()["data"]] == ["sports", "cooking"]
    assert {row["classifier_id"]: row["used_number"] for row in rows} == dict.fromkeys(ids, 3)


def test_twice_as_many_inputs_are_classified_as_embedded(make_app):
    with TestClient(make_app(limits=Limits(max_items=4))) as client:
        for number, status in ((8, 200), (9, 422)):
            asked = {"model": MODEL, "input": ["a text"] * number, "labels": LABELS}
            assert client.post("/v1/classify", json=asked).status_code == status
        assert client.post("/v1/train", json={"model": MODEL, "input": EXAMPLES}).status_code == 200
        more = {"model": MODEL, "input": [*EXAMPLES, EXAMPLES[0]]}
        assert client.post("/v1/train", json=more).status_code == 422
