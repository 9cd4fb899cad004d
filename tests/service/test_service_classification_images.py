"""Images into labels, by a model that takes them."""

import base64

import pytest
from starlette.testclient import TestClient
from test_embedder_images import file_of, picture, save_clip
from tiny_colberts import save_bert_colbert

from jina_components import Embedder, Image
from jina_components.classifier import Classifier

LABELS = ["a cat on a mat", "the sea at night"]
PNGS = [file_of(picture(seed)) for seed in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("models") / "jina-clip-v2", "jina-clip-v2")


@pytest.fixture(scope="module")
def client(make_app, clip):
    with TestClient(make_app(aliases={"clip": str(clip)}), raise_server_exceptions=False) as client:
        yield client


def uri(png):
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def test_images_are_classified_with_the_temperature_of_clip(client, clip):
    with Embedder(clip) as embedder:
        wanted = Classifier(embedder, temperature=0.01).classify([Image(png) for png in PNGS[:2]], LABELS)
    for given in ([uri(png) for png in PNGS[:2]], [{"image": uri(png)} for png in PNGS[:2]]):
        answer = client.post("/v1/classify", json={"model": "clip", "input": given, "labels": LABELS}).json()
        for one, same in zip(answer["data"], wanted, strict=True):
            assert (one["prediction"], one["score"]) == (same.label, pytest.approx(same.score, abs=1e-4))
    mixed = client.post("/v1/classify", json={"model": "clip", "input": ["a cat", uri(PNGS[0])], "labels": LABELS})
    assert [sum(each["score"] for each in one["predictions"]) for one in mixed.json()["data"]] == pytest.approx([1, 1])


def test_images_are_learned_from(client):
    labels = ["one", "other"] * 2
    examples = [{"image": uri(png), "label": label} for png, label in zip(PNGS, labels, strict=True)]
    made = client.post("/v1/train", json={"model": "clip", "input": examples}).json()
    answer = client.post("/v1/classify", json={"classifier_id": made["classifier_id"], "input": [uri(PNGS[0])]})
    assert answer.json()["data"][0]["prediction"] in ("one", "other")
    [item] = client.get("/v1/classifiers").json()
    assert (item["model"], item["labels"]) == ("clip", ["one", "other"])


@pytest.mark.parametrize("image", ["http://127.0.0.1/x.png", uri(PNGS[0])[:80], "/etc/passwd"])
def test_an_image_that_cannot_be_had_is_named(client, image):
    asked = {"model": "clip", "input": ["a cat", {"image": image}], "labels": LABELS}
    answer = client.post("/v1/classify", json=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body -> input -> 1")
    trained = [{"text": "a cat", "label": "a"}, {"image": image, "label": "b"}]
    answer = client.post("/v1/train", json={"model": "clip", "input": trained})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body -> input -> 1")


def test_a_model_of_texts_takes_no_images(client):
    asked = {"model": "small-embedding-v1", "input": ["a cat", {"image": uri(PNGS[0])}], "labels": LABELS}
    answer = client.post("/v1/classify", json=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body -> input -> 1")
    assert client.post("/v1/classify", json=asked | {"input": uri(b"short")}).status_code == 200  # it is a text


def test_a_model_of_token_vectors_classifies_nothing(make_app, tmp_path):
    with TestClient(make_app(aliases={"tokens": str(save_bert_colbert(tmp_path / "colbert"))})) as client:
        answer = client.post("/v1/classify", json={"model": "tokens", "input": "a cat", "labels": LABELS})
    told = answer.json()
    assert (answer.status_code, told["errors"][0]["field"]) == (422, "body -> model")
    assert str(tmp_path) not in told["detail"]
