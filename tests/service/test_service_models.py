import openai
import pytest
from starlette.testclient import TestClient

from jina_components.models.catalog import BY_NAME
from jina_components.models.files import on_disk
from jina_components.service import Components, ServiceSettings
from jina_components.testing import FakeChat

OPENROUTER = {
    "id", "hugging_face_id", "name", "created", "input_modalities", "output_modalities", "quantization",
    "context_length", "max_output_length", "pricing", "supported_sampling_parameters", "supported_features",
    "description", "datacenters",
}  # fmt: skip
DEEPSEARCH = ["jina-ai/jina-deepsearch-v1", "jina-ai/jina-deepsearch-v2"]


@pytest.fixture(scope="module")
def url(service_app, start_service):
    return start_service(service_app)


@pytest.fixture
def sdk(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any") as made:
        yield made


def test_the_catalogue_has_the_published_layout(client):
    answer = client.get("/v1/models").json()
    assert answer["object"] == "list"
    assert all(item.keys() >= OPENROUTER | {"object", "owned_by"} for item in answer["data"])
    by_id = {item["id"]: item for item in answer["data"]}
    assert len(by_id) == len(answer["data"])
    v3 = by_id["jina-ai/jina-embeddings-v3"]
    assert (v3["name"], v3["hugging_face_id"], v3["owned_by"]) == (
        "jina-embeddings-v3",
        "jinaai/jina-embeddings-v3",
        "jina-ai",
    )
    assert (v3["context_length"], v3["dimensions"], v3["matryoshka"][-1], v3["bundled"]) == (8192, 1024, 32, False)
    assert set(v3["pricing"].values()) == {"0"}
    assert by_id["jina-ai/jina-clip-v2"]["input_modalities"] == ["text", "image"]
    assert by_id["small-embedding-v1"]["bundled"]
    assert by_id["small-embedding-v1"]["on_disk"]
    assert by_id["small-reranker-v1"]["on_disk"]
    assert v3["on_disk"] == (on_disk(BY_NAME["jina-embeddings-v3"]) > 0)
    assert by_id["jina-ai/jina-colbert-v2"]["supported_features"] == ["embeddings", "rerank"]
    assert by_id["jina-ai/jina-reranker-v3"]["output_modalities"] == ["scores"]
    assert "chat" in by_id["jina-ai/jina-deepsearch-v1"]["supported_features"]


@pytest.mark.parametrize("name", ["jina-ai/jina-embeddings-v3", "jina-embeddings-v3", "jinaai/jina-embeddings-v3"])
def test_one_model_has_several_names(client, name):
    assert client.get(f"/v1/models/{name}").json()["id"] == "jina-ai/jina-embeddings-v3"


@pytest.mark.parametrize("name", ["no-such-model", "ReaderLM-v2", "../etc/passwd", "jina-ai/"])
def test_what_is_not_served_is_not_found(client, name):
    answer = client.get(f"/v1/models/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


def test_what_is_in_memory_is_told(client):
    client.post("/v1/embeddings", json={"model": "static-minilm-v1", "input": "x"})
    assert client.get("/v1/models/static-minilm-v1").json()["in_memory"]
    assert not client.get("/v1/models/jina-embeddings-v3").json()["in_memory"]


def test_aliases_say_what_answers_but_no_folders(make_app, tmp_path):
    aliases = {"text-embedding-3-small": "static-minilm-v1", "ours": str(tmp_path)}
    app = make_app(aliases=aliases, only=(*aliases, "small-reranker-v1"))
    with TestClient(app) as client:
        answer = client.get("/v1/models")
        assert str(tmp_path) not in answer.text
        by_id = {item["id"]: item for item in answer.json()["data"]}
        assert [*by_id] == [*aliases, "small-reranker-v1", *DEEPSEARCH]
        assert by_id["text-embedding-3-small"]["served_by"] == "static-minilm-v1"
        assert by_id["text-embedding-3-small"]["dimensions"] == 256
        assert client.get("/v1/models/jina-embeddings-v3").status_code == 404


def test_models_that_others_stand_in_for_say_so(make_app):
    with TestClient(make_app(stand_ins={"jina-embeddings-v3": "small-embedding-v1"})) as client:
        item = client.get("/v1/models/jina-embeddings-v3").json()
        assert (item["id"], item["served_by"], item["dimensions"]) == (
            "jina-ai/jina-embeddings-v3",
            "small-embedding-v1",
            384,
        )


NAMES = ["jina-embeddings-v3", "jina-ai/jina-embeddings-v3", "jinaai/jina-embeddings-v3"]


@pytest.mark.parametrize("given", NAMES)
@pytest.mark.parametrize("how", ["aliases", "stand_ins"])
def test_each_name_of_a_model_finds_what_answers_for_it(make_app, how, given):
    app = make_app(**{how: {given: "static-minilm-v1"}}, only=(given,))
    with TestClient(app) as client:
        for name in NAMES:
            assert client.get(f"/v1/models/{name}").json()["served_by"] == "static-minilm-v1"
            answer = client.post("/v1/embeddings", json={"model": name, "input": "x"})
            assert (answer.status_code, len(answer.json()["data"][0]["embedding"])) == (200, 256)
            assert answer.headers.get("x-served-by") == ("static-minilm-v1" if how == "stand_ins" else None)
        told = client.get("/metrics").text
    assert 'jina_items_total{model="jina-embeddings-v3",product="embeddings"} 3.0' in told


def test_an_alias_wins_over_a_stand_in(make_app):
    app = make_app(aliases={NAMES[0]: "static-minilm-v1"}, stand_ins={NAMES[0]: "small-embedding-v1"})
    with TestClient(app) as client:
        answer = client.post("/v1/embeddings", json={"model": NAMES[2], "input": "x"})
    assert len(answer.json()["data"][0]["embedding"]) == 256
    assert "x-served-by" not in answer.headers


def test_names_that_are_told_are_of_what_is_here(make_app):
    with TestClient(make_app(aliases={"ours": "static-minilm-v1"})) as client:
        told = client.post("/v1/embeddings", json={"model": "nope", "input": "x"}).json()["detail"]
        assert "such as ours, small-embedding-v1, static-minilm-v1." in told
        assert [item["id"] for item in client.get("/v1/models").json()["data"]][:2] == ["ours", "small-embedding-v1"]


def test_what_only_some_may_be_asked_for_leaves_deep_search(make_app):
    with TestClient(make_app(only=("small-embedding-v1",))) as client:
        assert [item["id"] for item in client.get("/v1/models").json()["data"]] == ["small-embedding-v1", *DEEPSEARCH]
        assert len(client.get("/deepsearch/v1/models").json()["data"]) == 2
        ranked = client.post("/v1/rerank", json={"model": "small-reranker-v1", "query": "q", "documents": ["d"]})
    assert (ranked.status_code, ranked.json()["code"]) == (400, "INPUT_MODEL_NOT_FOUND")
    assert "'small-reranker-v1' is not served here; the service has none for this." in ranked.json()["detail"]


def test_the_chat_model_is_listed_where_there_is_one(make_app, tmp_path):
    settings = ServiceSettings(data=tmp_path, warm_up=())
    with TestClient(make_app(components=Components(settings, chat=FakeChat([])))) as client:
        assert client.get("/v1/models/jina-vlm").json()["supported_features"] == ["chat", "streaming"]


def test_the_host_deepsearch_lists_its_own(client):
    answer = client.get("/v1/models", headers={"Host": "deepsearch.jina.ai"})
    assert answer.json() == client.get("/deepsearch/v1/models").json()
    assert answer.json() == {
        "object": "list",
        "data": [
            {"id": "jina-deepsearch-v1", "object": "model", "created": 1686935002, "owned_by": "jina-ai"},
            {"id": "jina-deepsearch-v2", "object": "model", "created": 1717987200, "owned_by": "jina-ai"},
        ],
    }


def test_an_unknown_model_of_deepsearch_is_told_as_openai_does(client):
    assert client.get("/deepsearch/v1/models/jina-deepsearch-v1").json()["created"] == 1686935002
    answer = client.get("/deepsearch/v1/models/gpt-4")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("model_not_found", "invalid_request_error")
    assert "gpt-4" in error["message"]


def test_the_openai_client_reads_the_catalogue(sdk, url):
    listed = sdk.models.list().data
    assert "jina-ai/jina-embeddings-v3" in [model.id for model in listed]
    for name in ("jina-ai/jina-embeddings-v3", "small-embedding-v1"):
        model = sdk.models.retrieve(name)
        assert (model.id, model.object) == (name, "model")
        assert isinstance(model.created, int)
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("no-such-model")
    with openai.OpenAI(base_url=f"{url}/deepsearch/v1", api_key="any") as deepsearch:
        assert [model.id for model in deepsearch.models.list()] == ["jina-deepsearch-v1", "jina-deepsearch-v2"]
        with pytest.raises(openai.NotFoundError) as raised:
            deepsearch.models.retrieve("gpt-4")
        assert raised.value.code == "model_not_found"
