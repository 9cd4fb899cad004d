from __future__ import annotations

import asyncio
import base64
import json
import pickle
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.load import dumps
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_jina_components import JinaEmbeddings
from langchain_parts import KEY
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from local_server import LocalServer, http
from pydantic import SecretStr, ValidationError
from running_service import Served, served
from test_embedder_images import file_of, picture, save_clip

from jina_components import Embedder
from jina_components.errors import ConfigError, InputError, WebError
from jina_components.testing import FakeEmbedder

MODEL = "static-minilm-v1"
TEXTS = ["Paris is the capital of France.", "Bread is baked.", "東京は日本の首都です。 🗼"]


class TestUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[JinaEmbeddings]:
        return JinaEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model_name": MODEL}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"JINA_API_KEY": KEY}, {}, {"jina_api_key": KEY, "model_name": "jina-embeddings-v2-base-en"}


class TestHere(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[JinaEmbeddings]:
        return JinaEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model_name": MODEL}


class TestOnServer(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _served(self, jina: Served) -> None:
        self.url = jina.url

    @property
    def embeddings_class(self) -> type[JinaEmbeddings]:
        return JinaEmbeddings

    @pytest.fixture
    def model(self) -> Iterator[JinaEmbeddings]:
        with closing(JinaEmbeddings(jina_api_key=KEY, base_url=self.url)) as embeddings:
            yield embeddings


def test_takes_the_place_of_the_class_of_langchain_community(jina: Served) -> None:
    """As its documentation uses it, but for the address."""
    embeddings = JinaEmbeddings(jina_api_key=KEY, model_name="jina-embeddings-v2-base-en", base_url=jina.url)
    assert embeddings.model_name == "jina-embeddings-v2-base-en"
    text = "This is a test document."
    query_result = embeddings.embed_query(text)
    doc_result = embeddings.embed_documents([text])
    np.testing.assert_allclose(query_result, Embedder(MODEL).embed_query(text), atol=1e-5)
    assert np.dot(query_result, doc_result[0]) == pytest.approx(1, abs=1e-5)
    embeddings.close()


def test_here_and_on_a_server_give_the_same(jina: Served) -> None:
    here = JinaEmbeddings()
    with closing(JinaEmbeddings(base_url=jina.url, model_name="small-embedding-v1")) as there:
        assert here.model_name == there.model_name
        np.testing.assert_allclose(here.embed_documents(TEXTS), there.embed_documents(TEXTS), atol=1e-4)
        np.testing.assert_allclose(here.embed_query(TEXTS[0]), there.embed_query(TEXTS[0]), atol=1e-4)


class Recording:
    """Answers every request with a vector each, and keeps what was asked."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.asked: list[dict[str, Any]] = []
        server.routes["/v1/embeddings"] = self._answer

    async def _answer(self, request: Any, writer: Any) -> None:
        asked = json.loads(request.body)
        self.asked.append(asked)
        rows = [{"index": index, "embedding": [1.0, 0.0]} for index in range(len(asked["input"]))]
        writer.write(http(200, json.dumps({"data": rows, "usage": {"total_tokens": 1}}).encode()))
        await writer.drain()


def test_a_model_of_its_own_name_on_the_hosts_of_jina_and_the_bundled_one_elsewhere() -> None:
    assert JinaEmbeddings(jina_api_key=KEY).model_name == "jina-embeddings-v2-base-en"
    assert JinaEmbeddings(base_url="https://api.jina.ai/v1").model_name == "jina-embeddings-v2-base-en"
    assert JinaEmbeddings(jina_api_key=KEY, base_url="http://localhost:1").model_name == "small-embedding-v1"


def test_queries_and_documents_are_told_apart(server: LocalServer) -> None:
    recording = Recording(server)
    with closing(JinaEmbeddings(base_url=server.url(""), truncate=True)) as embeddings:
        embeddings.embed_query("q")
        embeddings.embed_documents(["d"])
    with closing(JinaEmbeddings(base_url=server.url(""), late_chunking=True)) as embeddings:
        embeddings.embed_documents(["a", "b"])
    assert [each["task"] for each in recording.asked] == ["retrieval.query", *["retrieval.passage"] * 2]
    assert [each["truncate"] for each in recording.asked] == [True, True, False]
    assert recording.asked[2]["late_chunking"] is True
    assert {each["model"] for each in recording.asked} == {"small-embedding-v1"}  # which every server of ours has


def test_vectors_of_a_thousand_texts_come_in_order(jina: Served) -> None:
    texts = [f"text number {number}" for number in range(1000)]
    with closing(JinaEmbeddings(jina_api_key=KEY, base_url=jina.url, model=MODEL)) as there:
        np.testing.assert_allclose(there.embed_documents(texts), Embedder(MODEL).embed_documents(texts), atol=1e-5)


async def test_async_twins_give_the_same() -> None:
    embeddings = JinaEmbeddings(model_name=MODEL, dimensions=64)
    documents, query = await asyncio.gather(embeddings.aembed_documents(TEXTS), embeddings.aembed_query(TEXTS[0]))
    assert documents == embeddings.embed_documents(TEXTS)  # within a running loop, as in a notebook
    assert query == embeddings.embed_query(TEXTS[0])
    assert len(query) == 64
    assert type(query[0]) is float


async def test_async_goes_to_the_twins_of_the_embedder() -> None:
    class Only(FakeEmbedder):
        def embed_documents(self, texts: Any) -> Any:
            raise AssertionError

        embed_query = embed_documents

        async def aembed_documents(self, texts: Any) -> Any:
            return FakeEmbedder().embed_documents([str(text) for text in texts])

        async def aembed_query(self, text: str) -> Any:
            return FakeEmbedder().embed_query(text)

    embeddings = JinaEmbeddings(embedder=Only())
    assert await embeddings.aembed_documents(["a"]) == [await embeddings.aembed_query("a")]
    assert len(await embeddings.aembed_images(["a.png"])) == 1


def test_an_embedder_of_ours_or_of_anyone() -> None:
    ours = JinaEmbeddings(embedder=Embedder(MODEL, dimensions=8))
    assert ours.model_name == MODEL
    assert len(ours.embed_query("a")) == 8
    theirs = JinaEmbeddings(embedder=FakeEmbedder(dimensions=4))
    assert (theirs.model_name, np.shape(theirs.embed_documents(["a", "b"]))) == ("fake-4", (2, 4))


def test_an_embedder_with_a_key_in_the_environment_is_no_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_API_KEY", KEY)
    assert len(JinaEmbeddings(embedder=FakeEmbedder(dimensions=4)).embed_query("a")) == 4
    monkeypatch.setenv("JINA_API_KEY", "")
    nowhere = JinaEmbeddings(base_url="")  # as of a variable that is empty
    assert (nowhere.model_name, nowhere.remote) == ("small-embedding-v1", None)


@pytest.mark.parametrize(
    "settings", [{"jina_api_key": KEY}, {"base_url": "http://localhost:1"}, {"model_name": "a"}, {"dimensions": 3}]
)
def test_an_embedder_and_settings_of_one_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"either embedder or settings of one; got {next(iter(settings))} too"):
        JinaEmbeddings(embedder=FakeEmbedder(), **settings)


def test_keys_are_found_where_they_always_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_AUTH_TOKEN", "token")
    assert JinaEmbeddings().jina_api_key == SecretStr("token")
    monkeypatch.setenv("JINA_API_KEY", "key")
    assert JinaEmbeddings().jina_api_key == SecretStr("key")
    assert JinaEmbeddings(jina_auth_token="given").jina_api_key == SecretStr("given")
    remote = JinaEmbeddings().remote
    assert remote is not None
    assert remote.base_url == "https://api.jina.ai"


def test_the_key_is_nowhere_to_be_seen(server: LocalServer) -> None:
    server.routes["/v1/embeddings"] = [http(401, b'{"detail": "Unauthorized"}')] * 3
    embeddings = JinaEmbeddings(jina_api_key=KEY, base_url=server.url(""), max_retries=0)
    with pytest.raises(WebError, match="401") as caught:
        embeddings.embed_query("a")
    embeddings.close()
    with pytest.raises(ValidationError, match="session") as refused:
        JinaEmbeddings(jina_api_key=KEY, session="a", model_name=3)  # type: ignore[call-arg, arg-type]
    shown = [repr(embeddings), str(embeddings), dumps(embeddings), str(caught.value), str(refused.value)]
    assert not any(KEY in each for each in [*shown, str(embeddings.model_dump()), embeddings.model_dump_json()])


def test_settings_do_not_change_behind_its_back() -> None:
    embeddings = JinaEmbeddings(model_name=MODEL)
    with pytest.raises(ValidationError, match="frozen"):
        embeddings.model_name = "other"
    embeddings.show_progress = True
    assert embeddings.show_progress


def test_pickles_and_copies(jina: Served) -> None:
    for embeddings in (JinaEmbeddings(model_name=MODEL), JinaEmbeddings(jina_api_key=KEY, base_url=jina.url)):
        wanted = embeddings.embed_documents(TEXTS)
        for made in (pickle.loads(pickle.dumps(embeddings)), embeddings.model_copy(deep=True)):
            with closing(made) as copied:
                assert copied.embed_documents(TEXTS) == wanted
                assert copied.jina_api_key == embeddings.jina_api_key
        embeddings.close()


def test_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    JinaEmbeddings(model_name=MODEL, show_progress=True).embed_documents(TEXTS)
    assert "Embedding: 100%" in capsys.readouterr().err
    JinaEmbeddings(model_name=MODEL).embed_documents(TEXTS)
    assert capsys.readouterr().err == ""


def test_what_cannot_be_embedded_is_named() -> None:
    embeddings = JinaEmbeddings(model_name=MODEL)
    assert embeddings.embed_documents([]) == []
    with pytest.raises(InputError, match=r"\[1\]") as caught:
        embeddings.embed_documents(["a", " "])
    assert caught.value.index == 1
    with pytest.raises(InputError, match="list"):
        embeddings.embed_documents("a")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="late chunking"):
        JinaEmbeddings(model_name=MODEL, late_chunking=True).embed_documents(["a"])


def test_threads_share_one() -> None:
    embeddings = JinaEmbeddings(model_name=MODEL)
    wanted, got = embeddings.embed_documents(TEXTS), list[Any]()
    threads = [threading.Thread(target=lambda: got.append(embeddings.embed_documents(TEXTS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(got, [wanted] * 4, atol=1e-6)


def test_any_vector_store_takes_them() -> None:
    embeddings = JinaEmbeddings()
    assert isinstance(embeddings, Embeddings)
    store = InMemoryVectorStore.from_texts(TEXTS, embeddings)
    assert store.similarity_search("What is baked?", k=1)[0].page_content == TEXTS[1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("models") / "jina-clip-v2", "jina-clip-v2")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"a picture {number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(file_of(picture(number)))
    return paths


def test_images_of_paths_and_uris(clip: Path, files: list[Path]) -> None:
    embeddings = JinaEmbeddings(model_name=str(clip))
    data = f"data:image/png;base64,{base64.b64encode(files[2].read_bytes()).decode()}"
    vectors = embeddings.embed_images([str(files[0]), files[1].as_uri(), data])
    assert np.shape(vectors) == (3, 128)
    wanted = embeddings.embed_images([str(path) for path in files])
    np.testing.assert_allclose(vectors, wanted, atol=1e-4)
    assert asyncio.run(embeddings.aembed_images([str(files[0])]))[0] == pytest.approx(wanted[0], abs=1e-4)
    assert len(embeddings.embed_query("a cat")) == 128


def test_images_on_a_server(clip: Path, files: list[Path], tmp_path: Path) -> None:
    uris = [str(path) for path in files]
    wanted = JinaEmbeddings(model_name=str(clip)).embed_images(uris)
    with served(tmp_path / "served", aliases={"jina-clip-v2": str(clip)}) as service:
        there = JinaEmbeddings(jina_api_key=KEY, base_url=service.url, model_name="jina-clip-v2")
        service.site.routes["/cat.png"] = [http(200, files[0].read_bytes(), content_type="image/png")]
        got = there.embed_images([*uris, service.site.url("/cat.png")])
        there.close()
    np.testing.assert_allclose(got, [*wanted, wanted[0]], atol=1e-3)


def test_images_that_cannot_be_had(clip: Path, tmp_path: Path, server: LocalServer) -> None:
    there = JinaEmbeddings(base_url=server.url(""), model_name="jina-clip-v2")
    for embeddings in (JinaEmbeddings(model_name=str(clip)), there):
        with pytest.raises(InputError, match="gone") as caught:
            embeddings.embed_images([str(tmp_path / "gone.png")])
        assert caught.value.index == 0
    with pytest.raises(ConfigError, match="takes texts alone"):
        JinaEmbeddings(model_name=MODEL).embed_images(["a.png"])
    for wrong, told in (("a.png", r"pass \[uri\]"), ([3], "got 3")):
        with pytest.raises(InputError, match=told):
            there.embed_images(wrong)  # type: ignore[arg-type]
