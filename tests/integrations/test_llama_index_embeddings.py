"""JinaEmbedding, and what is wrong with the class whose place it takes."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from embedding_server import serve_models
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.schema import ImageNode, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.embeddings.jinaai import JinaEmbedding as Predecessor
from llama_index_jina_components import JinaEmbedding
from local_server import http
from pydantic import Field, ValidationError
from test_embedder_images import save_clip

from jina_components import Embedder, Endpoint
from jina_components.errors import ConfigError, HTTPStatusError, InputError
from jina_components.testing import FakeEmbedder

TEXTS = ["The sea is calm today.", "Stocks fell sharply on Monday.", "Ein Boot liegt im Hafen, 海は静か。"]
ENVIRONMENT = ("JINAAI_API_KEY", "JINA_API_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def here():
    return JinaEmbedding("static-minilm-v1")


@pytest.fixture
def there(server):
    """An embedding on a server that has any model."""
    serve_models(server)
    made = JinaEmbedding("jina-embeddings-v3", api_key="secret", base_url=server.url("/v1"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def seeing(tmp_path_factory):
    """A model that takes images, of random weights."""
    with Embedder(save_clip(tmp_path_factory.mktemp("clip") / "jina-clip-v2", "jina-clip-v2")) as embedder:
        yield JinaEmbedding(embedder=embedder)


@pytest.fixture
def picture():
    buffer = BytesIO()
    PIL.Image.fromarray(np.random.default_rng(1).integers(0, 255, (70, 90, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def requests_of(server):
    return [(request.headers, json.loads(request.body)) for request in server.received]


def test_it_is_an_embedding_of_llama_index(here):
    assert isinstance(here, MultiModalEmbedding)
    assert JinaEmbedding.class_name() == "JinaEmbedding" != Predecessor.class_name()
    assert here.model == here.model_name == "static-minilm-v1"
    assert JinaEmbedding().model == Embedder().name


def test_vectors_are_those_of_the_embedder(here, bundled_embedder):
    np.testing.assert_array_equal(here.get_text_embedding_batch(TEXTS), bundled_embedder.embed_documents(TEXTS))
    np.testing.assert_array_equal(here.get_text_embedding(TEXTS[2]), bundled_embedder.embed_documents(TEXTS)[2])
    np.testing.assert_array_equal(here.get_query_embedding("calm sea"), bundled_embedder.embed_query("calm sea"))
    assert here.get_text_embedding_batch([]) == []
    assert all(type(value) is float for value in here.get_query_embedding("calm sea"))


async def test_async_twins_give_the_same(here):
    assert await here.aget_text_embedding_batch(TEXTS) == here.get_text_embedding_batch(TEXTS)
    assert await here.aget_text_embedding(TEXTS[0]) == here.get_text_embedding(TEXTS[0])
    assert await here.aget_query_embedding("calm sea") == here.get_query_embedding("calm sea")


async def test_sync_methods_run_inside_a_running_loop(there):
    assert len(there.get_text_embedding(TEXTS[0])) == 256


@pytest.mark.parametrize("workers", [None, 3])
async def test_batches_come_in_order(workers, capfd):
    embedding = JinaEmbedding("static-minilm-v1", embed_batch_size=7, num_workers=workers)
    texts = [f"{number} boats" for number in range(50)]
    found = await embedding.aget_text_embedding_batch(texts, show_progress=True)
    np.testing.assert_allclose(found, embedding.get_text_embedding_batch(texts, show_progress=True), atol=1e-6)
    assert capfd.readouterr().err.count("Generating embeddings") >= 2


def test_two_threads_at_once(there):
    async def both():
        return await asyncio.gather(*(asyncio.to_thread(there.get_text_embedding_batch, TEXTS) for _ in range(2)))

    first, second = asyncio.run(both())
    assert first == second


# As the predecessor's documentation has it.
def test_drop_in_for_the_predecessor(server, monkeypatch):
    serve_models(server)
    embedding = JinaEmbedding(
        api_key="secret", model="jina-embeddings-v3", embed_batch_size=16, task="retrieval.passage",
        base_url=server.url("/v1"),
    )  # fmt: skip
    vectors = embedding.get_text_embedding_batch([*TEXTS] * 10)
    assert (len(vectors), len(vectors[0])) == (30, 256)
    assert [len(body["input"]) for _, body in requests_of(server)] == [16, 14]
    assert requests_of(server)[0][1]["model"] == "jina-embeddings-v3"
    embedding.close()
    positional = JinaEmbedding(
        "jina-embeddings-v2-base-en", 5, "secret", CallbackManager([]), "ubinary", "binary", "text-matching", 64, True
    )
    assert positional.api_key.get_secret_value() == "secret"
    assert positional.to_dict() == {
        "class_name": "JinaEmbedding", "model_name": "jina-embeddings-v2-base-en", "embed_batch_size": 5,
        "num_workers": None, "embeddings_cache": None, "base_url": "https://api.jina.ai", "timeout": 60.0,
        "max_retries": 2, "embedder": None, "model": "jina-embeddings-v2-base-en", "encoding_queries": "ubinary",
        "encoding_documents": "binary", "task": "text-matching", "dimensions": 64, "late_chunking": True,
        "truncate": False,
    }  # fmt: skip
    written = Predecessor(api_key="secret", embed_batch_size=3).to_dict()
    assert JinaEmbedding.from_dict(written).model == JinaEmbedding(api_key="secret").model == "jina-embeddings-v3"


def test_every_argument_of_the_predecessor_keeps_its_place():
    import inspect

    old = list(inspect.signature(Predecessor.__init__).parameters)
    new = list(inspect.signature(JinaEmbedding.__init__).parameters)
    assert new[: len(old) - 1] == old[:-1]


class TestBugsOfThePredecessor:
    @pytest.mark.parametrize("name", ENVIRONMENT)
    def test_a_key_of_the_environment_was_not_sent(self, server, monkeypatch, name):
        assert Predecessor()._api._session.headers["Authorization"] == "Bearer None"
        monkeypatch.setenv(name, "from-the-environment")
        serve_models(server)
        embedding = JinaEmbedding("jina-embeddings-v3", base_url=server.url(""))
        embedding.get_query_embedding("calm sea")
        assert requests_of(server)[0][0]["authorization"] == "Bearer from-the-environment"
        embedding.close()

    def test_the_base_url_was_ignored(self, there, server):
        assert Predecessor(base_url="http://localhost:1")._api.api_url == "https://api.jina.ai/v1/embeddings"
        there.get_query_embedding("calm sea")
        assert server.paths() == ["/v1/embeddings"]

    def test_the_encoding_was_sent_under_a_name_that_nobody_knows(self, server, bundled_embedder):
        serve_models(server)
        embedding = JinaEmbedding(
            "m", base_url=server.url(""), encoding_queries="ubinary", encoding_documents="binary", dimensions=64
        )
        signs = bundled_embedder.embed([TEXTS[0]], dimensions=64).vectors[0] > 0
        assert embedding.get_query_embedding(TEXTS[0]) == signs.astype(float).tolist()
        assert embedding.get_text_embedding(TEXTS[0]) == signs.astype(float).tolist()
        assert "encoding_type" not in requests_of(server)[0][1]
        embedding.close()

    def test_queries_and_documents_had_one_task_or_none(self, there, server):
        there.get_query_embedding("calm sea")
        there.get_text_embedding("calm sea")
        assert [body["task"] for _, body in requests_of(server)] == ["retrieval.query", "retrieval.passage"]

    async def test_an_image_could_not_be_had_asynchronously(self, seeing, picture):
        assert await seeing.aget_image_embedding(BytesIO(picture)) == seeing.get_image_embedding(picture)

    def test_bytes_were_no_image(self, picture):
        with pytest.raises((AttributeError, TypeError)):
            Predecessor(api_key="x")._get_image_embedding(BytesIO(picture))

    def test_settings_got_lost_and_the_key_was_written_down(self):
        settings = {"task": "text-matching", "dimensions": 64, "late_chunking": True, "encoding_queries": "binary"}
        lost = Predecessor(api_key="secret", **settings).to_dict()
        assert lost["api_key"] == "secret"
        assert not settings.keys() & lost
        written = JinaEmbedding(api_key="secret", **settings).to_dict()
        assert settings.items() <= written.items()
        assert "secret" not in str(written)

    def test_events_did_not_know_the_model(self, here):
        assert Predecessor(api_key="x").model_name == "unknown"
        assert here.model_name == "static-minilm-v1"

    def test_an_error_of_the_server_was_a_missing_detail(self, server):
        server.routes["/v1/embeddings"] = [http(401, b'{"error": "no such key"}')]
        embedding = JinaEmbedding("m", api_key="secret", base_url=server.url(""))
        with pytest.raises(HTTPStatusError, match="401") as caught:
            embedding.get_query_embedding("calm sea")
        assert "secret" not in str(caught.value)
        embedding.close()


@pytest.mark.parametrize("given", ["path", "str", "file URL", "data URI", "bytes", "BytesIO", "node", "path node"])
async def test_images_of_any_kind(seeing, picture, tmp_path, given):
    import base64

    path = tmp_path / "a picture.png"
    path.write_bytes(picture)
    code = base64.b64encode(picture).decode()
    kinds = {
        "path": path, "str": str(path), "file URL": path.as_uri(), "data URI": f"data:image/png;base64,{code}",
        "bytes": picture, "BytesIO": BytesIO(picture), "node": ImageNode(image=code),
        "path node": ImageNode(image_path=str(path)),
    }  # fmt: skip
    expected = seeing.embedder.embed_documents([_image(picture)])[0].tolist()
    assert seeing.get_image_embedding(kinds[given]) == expected
    assert await seeing.aget_image_embedding_batch([kinds[given]] * 2) == [expected] * 2


def _image(picture):
    from jina_components import Image

    return Image(picture)


def test_texts_and_images_share_a_space(seeing, picture):
    assert len(seeing.get_query_embedding("a cat")) == len(seeing.get_image_embedding_batch([picture])[0])
    assert seeing.get_image_embedding_batch([]) == []


async def test_images_are_sent_to_a_server(server, picture):
    answer = {"data": [{"index": 0, "embedding": [0.6, 0.8]}], "usage": {"total_tokens": 4}}
    server.routes["/v1/embeddings"] = [http(200, json.dumps(answer).encode())]
    embedding = JinaEmbedding("jina-clip-v2", base_url=server.url(""))
    np.testing.assert_allclose(embedding.get_image_embedding(picture), [0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(await embedding.aget_image_embedding("https://example.org/a.png"), [0.6, 0.8], atol=1e-6)
    sent = [body["input"][0]["image"] for _, body in requests_of(server)]
    assert sent[0].startswith("data:image/png;base64,")
    assert sent[1] == "https://example.org/a.png"
    embedding.close()


def test_what_is_no_image_is_refused(seeing, here, picture):
    with pytest.raises(ConfigError, match="texts alone"):
        here.get_image_embedding(picture)
    with pytest.raises(InputError):
        seeing.get_image_embedding(ImageNode())
    with pytest.raises(InputError):
        seeing.get_image_embedding(b"no image")


def test_a_task_counts_for_all(server):
    serve_models(server)
    embedding = JinaEmbedding("m", base_url=server.url(""), task="classification", late_chunking=True)
    embedding.get_query_embedding("calm sea")
    embedding.get_text_embedding_batch(TEXTS)
    bodies = [body for _, body in requests_of(server)]
    assert [body["task"] for body in bodies] == ["classification"] * 2
    assert [body.get("late_chunking") for body in bodies] == [None, True]
    embedding.close()


async def test_a_task_counts_for_all_asynchronously(server):
    serve_models(server)
    embedding = JinaEmbedding("m", base_url=server.url(""), task="classification")
    await embedding.aget_query_embedding("calm sea")
    await embedding.aget_text_embedding_batch(TEXTS)
    assert [body["task"] for _, body in requests_of(server)] == ["classification"] * 2
    embedding.close()


def test_late_chunking_is_that_of_the_embedder(minilm_folder):
    pytest.importorskip("torch")
    with Embedder(minilm_folder, backend="torch", precision="float32") as embedder:
        embedding = JinaEmbedding(embedder=embedder, late_chunking=True)
        expected = embedder.embed(TEXTS, task="retrieval.passage", late_chunking=True).vectors
        np.testing.assert_allclose(embedding.get_text_embedding_batch(TEXTS), expected, atol=1e-5)


def test_a_text_over_the_context_is_refused_or_cut():
    embedding, cutting = JinaEmbedding(), JinaEmbedding(truncate=True)
    text = "boat " * 2000
    with pytest.raises(InputError, match="truncate"):
        embedding.get_text_embedding(text)
    assert len(cutting.get_text_embedding(text)) == len(embedding.get_text_embedding("boat"))
    embedding.close()
    cutting.close()


def test_any_embedder_fits():
    embedding = JinaEmbedding(embedder=FakeEmbedder(dimensions=8))
    assert len(embedding.get_query_embedding("calm sea")) == 8
    assert embedding.model == embedding.model_name == "fake-8"


@pytest.mark.parametrize(
    "settings", [{"api_key": "secret"}, {"base_url": "http://x"}, {"dimensions": 8}, {"model": "m"}, {"truncate": True}]
)
def test_an_embedder_and_settings_of_one_exclude_each_other(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))) as caught:
        JinaEmbedding(embedder=FakeEmbedder(), **settings)
    assert "secret" not in str(caught.value)


def test_a_key_of_the_environment_does_not_count_beside_an_embedder(monkeypatch):
    monkeypatch.setenv("JINA_API_KEY", "secret")
    assert JinaEmbedding(embedder=FakeEmbedder()).remote is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"embedder": "static-minilm-v1"}, ConfigError),
        ({"embedder": 3}, ValidationError),
        ({"encoding_queries": "base64"}, ValidationError),
        ({"embed_batch_size": 0}, ValidationError),
        ({"dimension": 8}, ValidationError),
        ({"dimensions": -8}, ConfigError),
        ({"base_url": "nowhere"}, ConfigError),
        ({"timeout": -1, "base_url": "http://x"}, ConfigError),
    ],
)
def test_wrong_settings_are_refused(settings, error):
    with pytest.raises(error) as caught:
        JinaEmbedding(**{"api_key": None if "embedder" in settings else "secret", **settings})
    assert "secret" not in str(caught.value)


def test_what_it_is_made_of_does_not_change(here):
    with pytest.raises(ValidationError, match="frozen"):
        here.model = "another"


def test_wrong_input_is_refused(here):
    with pytest.raises(InputError):
        here.get_text_embedding(" ")
    with pytest.raises(InputError):
        here.get_query_embedding("")


def test_nodes_get_their_vectors(here):
    nodes = [TextNode(text=text, metadata={"lang": "en"}) for text in TEXTS]
    done = here(nodes)
    assert done[0].embedding == here.get_text_embedding(f"lang: en\n\n{TEXTS[0]}")


async def test_cancelling_ends_the_request(server):
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    async def never(request, writer):
        loop.call_soon_threadsafe(asked.set)
        await asyncio.sleep(60)

    server.routes["/v1/embeddings"] = never
    embedding = JinaEmbedding("m", base_url=server.url(""))
    asking = asyncio.create_task(embedding.aget_query_embedding("calm sea"))
    await asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    embedding.close()


def test_vectors_are_cached_as_the_base_has_it(there, server):
    cached = JinaEmbedding("m", base_url=there.base_url, embeddings_cache=SimpleKVStore())
    assert cached.get_text_embedding_batch(TEXTS) == cached.get_text_embedding_batch(TEXTS)
    assert len(server.received) == 1
    cached.close()


class Heard(BaseEventHandler):
    events: list = Field(default_factory=list)

    def handle(self, event, **kwargs):
        self.events.append(event)


async def test_events_of_the_instrumentation_and_the_callbacks(here):
    debug, heard, root = LlamaDebugHandler(print_trace_on_end=False), Heard(), get_dispatcher()
    root.add_event_handler(heard)
    try:
        embedding = JinaEmbedding("static-minilm-v1", callback_manager=CallbackManager([debug]))
        embedding.get_text_embedding_batch(TEXTS)
        await embedding.aget_query_embedding("calm sea")
    finally:
        root.event_handlers.remove(heard)
    assert [type(event) for event in heard.events] == [EmbeddingStartEvent, EmbeddingEndEvent] * 2
    assert heard.events[0].model_dict["model_name"] == "static-minilm-v1"
    assert heard.events[1].chunks == TEXTS
    assert len(debug.get_event_pairs(CBEventType.EMBEDDING)) == 2


def test_it_may_be_the_embedding_of_the_settings(here):
    before = Settings._embed_model
    try:
        Settings.embed_model = here
        assert Settings.embed_model is here
    finally:
        Settings._embed_model = before


@pytest.mark.parametrize(
    "made",
    [
        lambda: JinaEmbedding("static-minilm-v1", 7, dimensions=32, encoding_documents="binary", num_workers=2),
        lambda: JinaEmbedding("m", api_key="secret", base_url="http://localhost:1", timeout=3, max_retries=0),
        lambda: JinaEmbedding(embedder=Embedder("static-minilm-v1", dimensions=64), task="text-matching"),
    ],
)
def test_nothing_is_lost_when_it_is_written_down(made):
    embedding = made()
    again = JinaEmbedding.from_dict(json.loads(json.dumps(embedding.to_dict())))
    assert again.to_dict() == embedding.to_dict()
    assert JinaEmbedding.from_json(embedding.to_json()).to_dict() == embedding.to_dict()
    pickled = pickle.loads(pickle.dumps(embedding))
    assert pickled.to_dict() == embedding.to_dict()
    assert pickled.api_key == embedding.api_key
    assert pickled._component._arguments == embedding._component._arguments


def test_what_has_lost_its_key_is_still_remote(monkeypatch):
    written = JinaEmbedding(api_key="secret").to_dict()
    assert JinaEmbedding.from_dict(written).remote.api_key is None
    assert JinaEmbedding.from_dict(written, api_key="new").remote.api_key == "new"
    monkeypatch.setenv("JINAAI_API_KEY", "of-the-environment")
    assert JinaEmbedding.from_dict(written).remote.api_key == "of-the-environment"


def test_what_runs_here_runs_here_where_it_is_unpickled(monkeypatch, here):
    pickled = pickle.dumps(here)
    monkeypatch.setenv("JINA_API_KEY", "secret")
    assert pickle.loads(pickled).remote is None


def test_the_key_is_in_no_text(caplog):
    caplog.set_level(logging.DEBUG)
    embedding = JinaEmbedding(api_key="secret")
    shown = [repr(embedding), str(embedding), embedding.to_json(), repr(embedding.remote)]
    assert "secret" not in " ".join([*shown, caplog.text])


@pytest.mark.parametrize(
    "embedder", [FakeEmbedder(), Embedder("m", endpoint=Endpoint("http://localhost:1", api_key="secret"))]
)
def test_what_cannot_be_written_down_is_given_again(embedder):
    embedding = JinaEmbedding(embedder=embedder, task="text-matching")
    written = embedding.to_dict()
    assert (
        copy.deepcopy(written)
        == written
        == embedding.to_dict()
        != JinaEmbedding(embedder=embedder, task="text-matching").to_dict()
    )
    assert "secret" not in embedding.to_json()
    with pytest.raises(ConfigError, match=r"given again: from_dict\(data, embedder=\.\.\.\)"):
        JinaEmbedding.from_json(embedding.to_json())
    again = JinaEmbedding.from_dict(json.loads(embedding.to_json()), embedder=embedder)
    assert (again.embedder, again.task) == (embedder, "text-matching")


def test_pickling_leaves_the_object_as_it_is(caplog):
    class Local(FakeEmbedder):
        """Of a class that cannot be found again."""

    embedding = JinaEmbedding(embedder=Local())
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(embedding)
    assert not caplog.records  # LlamaIndex would warn that it leaves the embedder out
    assert len(embedding.get_query_embedding("calm sea")) == 32


def test_a_service_of_ours(service, bundled_embedder):
    embedding = JinaEmbedding("static-minilm-v1", base_url=service.url)
    found = embedding.get_text_embedding_batch(TEXTS)
    np.testing.assert_allclose(found, bundled_embedder.embed_documents(TEXTS), atol=1e-6)
    embedding.close()
