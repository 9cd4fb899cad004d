"""The embedders in Haystack: as jina-haystack has them, on our server and here."""

from __future__ import annotations

import asyncio
import io
import json
import threading

import haystack
import numpy as np
import PIL.Image
import pytest
from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.embedders import jina as predecessor
from haystack_jina_components import JinaDocumentEmbedder, JinaDocumentImageEmbedder, JinaTextEmbedder
from langchain_core.embeddings import DeterministicFakeEmbedding
from local_server import http
from packaging.version import Version

from jina_components import Embedder
from jina_components.errors import ConfigError, InputError, JinaComponentsError
from jina_components.testing import FakeEmbedder
from jina_components.types import Embeddings, Image, Usage

MODEL = "static-minilm-v1"
KEY = "jina_secret_1"


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("JINA_API_KEY", KEY)


def documents(*texts):
    return [Document(content=text, meta={"title": f"of {text}"}) for text in texts]


@pytest.mark.usefixtures("key")
def test_a_text_is_embedded_as_by_jina_haystack(service):
    settings = {"model": MODEL, "prefix": "query: ", "suffix": ".", "dimensions": 64}
    url = f"{service.url}/v1/embeddings"
    theirs = predecessor.JinaTextEmbedder(**settings, base_url=url).run("I love pizza!")
    ours = JinaTextEmbedder(**settings, base_url=url)
    found = ours.run("I love pizza!")
    assert found["embedding"] == pytest.approx(theirs["embedding"], abs=1e-6)
    assert found["meta"] == theirs["meta"]
    assert asyncio.run(ours.run_async("I love pizza!")) == found
    assert ours.model_name == MODEL
    ours.close()


@pytest.mark.usefixtures("key")
def test_documents_are_embedded_as_by_jina_haystack(service, capsys):
    settings = {
        "model": MODEL,
        "batch_size": 2,
        "meta_fields_to_embed": ["title", "none"],
        "embedding_separator": " | ",
    }
    given = documents("rain", "bread", "sea", "größe 数", "moon")
    theirs = predecessor.JinaDocumentEmbedder(**settings, base_url=f"{service.url}/v1/embeddings").run(given)
    assert "Calculating embeddings" in capsys.readouterr().err
    ours = JinaDocumentEmbedder(**settings, base_url=service.url)
    found = ours.run(given)
    assert "Embedding" in capsys.readouterr().err
    for got, wanted in zip(found["documents"], theirs["documents"], strict=True):
        assert got.embedding == pytest.approx(wanted.embedding, abs=1e-6)
        assert (got.id, got.content, got.meta) == (wanted.id, wanted.content, wanted.meta)
    assert found["meta"] == theirs["meta"]
    assert asyncio.run(ours.run_async(given)) == found
    assert [each.embedding for each in given] == [None] * 5
    ours.close()


def test_positions_and_defaults_are_those_of_jina_haystack(server):
    answer = {
        "data": [{"index": 0, "embedding": [0.6, 0.8]}],
        "model": "m",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }
    server.routes["/v1/embeddings"] = [http(body=json.dumps(answer).encode())] * 2
    secret = Secret.from_token(KEY)
    text = JinaTextEmbedder(
        secret, "jina-embeddings-v3", "a", "b", "retrieval.query", 1, None, base_url=server.url("/")
    )
    assert text.run("x")["embedding"] == [1.0]
    document = JinaDocumentEmbedder(
        secret, None, "a", "b", 1, False, ["title"], "-", base_url=server.url("/v1/embeddings")
    )
    assert document.run(documents("x"))["documents"][0].embedding == pytest.approx([0.6, 0.8])
    first, second = (json.loads(request.body) for request in server.received)
    assert first["input"] == ["axb"]
    assert (first["model"], first["task"]) == ("jina-embeddings-v3", "retrieval.query")
    assert second["input"] == ["aof x-xb"]
    assert second["model"] == "small-embedding-v1"  # which every server of ours has
    assert JinaTextEmbedder(secret).model == "jina-embeddings-v3"
    assert "task" not in second
    assert {request.headers["authorization"] for request in server.received} == {f"Bearer {KEY}"}
    text.close()
    document.close()


def test_without_key_and_address_the_bundled_model_runs_here():
    text, document = JinaTextEmbedder(), JinaDocumentEmbedder(progress_bar=False)
    text.warm_up()
    document.warm_up()
    own = Embedder()
    assert text.run("rain")["embedding"] == own.embed(["rain"]).vectors[0].tolist()
    found = document.run(documents("rain", "sea"))
    assert [each.embedding for each in found["documents"]] == own.embed(["rain", "sea"]).vectors.tolist()
    assert found["meta"]["model"] == text.model_name == own.name


def test_an_embedder_that_is_given_embeds_by_its_own_ways(bundled_embedder):
    text, document = JinaTextEmbedder(embedder=bundled_embedder), JinaDocumentEmbedder(embedder=bundled_embedder)
    assert text.run("rain")["embedding"] == bundled_embedder.embed_query("rain").tolist()
    found = document.run(documents("rain"))
    assert found["documents"][0].embedding == bundled_embedder.embed_documents(["rain"])[0].tolist()
    assert found["meta"] == {"model": MODEL, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


@pytest.mark.parametrize("embedder", [FakeEmbedder(), DeterministicFakeEmbedding(size=8)])
async def test_any_embedder_with_the_two_methods_will_do(embedder):
    text, document = JinaTextEmbedder(embedder=embedder), JinaDocumentEmbedder(embedder=embedder)
    wanted = np.asarray(embedder.embed_query("rain"), np.float32).tolist()
    assert text.run("rain")["embedding"] == (await text.run_async("rain"))["embedding"] == wanted
    assert document.run(documents("rain")) == await document.run_async(documents("rain"))
    with pytest.raises(ConfigError, match="task"):
        JinaTextEmbedder(embedder=embedder, task="retrieval.query")
    with pytest.raises(ConfigError, match="can be written down"):
        text.to_dict()


class _Watched:
    """Tells what it is asked."""

    def __init__(self):
        self.asked = []

    def embed(self, inputs, **how):
        self.asked.append((list(inputs), how))
        return Embeddings(np.eye(len(inputs), 4, dtype=np.float32), Usage(len(inputs)))

    def embed_query(self, text):
        raise AssertionError

    embed_documents = embed_query


def test_chunks_of_one_source_are_embedded_together():
    watched = _Watched()
    embedder = JinaDocumentEmbedder(embedder=watched, late_chunking=True, progress_bar=False)
    chunks = [Document(content=text, meta={"source_id": text[0]}) for text in ("a1", "a2", "b1")]
    found = embedder.run([*chunks, Document(content="c"), Document(content="d")])
    assert [inputs for inputs, _ in watched.asked] == [["a1", "a2"], ["b1"], ["c", "d"]]
    assert all(how["late_chunking"] for _, how in watched.asked)
    assert found["meta"]["usage"]["total_tokens"] == 5
    assert [each.content for each in found["documents"]] == ["a1", "a2", "b1", "c", "d"]


def test_no_documents_ask_nobody():
    embedder = JinaDocumentEmbedder(embedder=_Watched())
    assert embedder.run([]) == {"documents": [], "meta": {}}
    assert asyncio.run(embedder.run_async([])) == {"documents": [], "meta": {}}


def test_what_is_no_text_or_document_is_refused():
    with pytest.raises(TypeError, match="JinaDocumentEmbedder"):
        JinaTextEmbedder().run([Document(content="a")])
    for wrong in ("a", ["a"], Document(content="a"), None):
        with pytest.raises(TypeError, match="list of Haystack's Documents"):
            JinaDocumentEmbedder().run(wrong)
    with pytest.raises(InputError) as refused:
        JinaDocumentEmbedder(model=MODEL, progress_bar=False).run([Document(content="a"), Document(content=None)])
    assert refused.value.index == 1


@pytest.mark.usefixtures("key")
def test_a_component_and_settings_of_a_server_exclude_each_other(bundled_embedder):
    assert (
        JinaTextEmbedder(embedder=bundled_embedder).run("a")["meta"]["model"] == MODEL
    )  # the key is of the environment
    for settings in ({"base_url": "http://x"}, {"model": MODEL}, {"api_key": Secret.from_token("k")}, {"timeout": 3}):
        with pytest.raises(ConfigError, match=f"embedder or {next(iter(settings))}"):
            JinaDocumentEmbedder(embedder=bundled_embedder, **settings)
    with pytest.raises(ConfigError, match="embed_query"):
        JinaTextEmbedder(embedder=object())


@pytest.mark.parametrize("kind", [JinaTextEmbedder, JinaDocumentEmbedder, JinaDocumentImageEmbedder])
def test_settings_are_written_down_without_the_key(kind, service, key, monkeypatch):
    made = kind(model=MODEL, base_url=service.url, timeout=7.0)
    data = made.to_dict()
    assert KEY not in json.dumps(data)
    assert data["init_parameters"]["api_key"] == {"type": "env_var", "env_vars": ["JINA_API_KEY"], "strict": False}
    again = kind.from_dict(json.loads(json.dumps(data)))
    assert again.to_dict() == data
    assert again.api_key.resolve_value() == KEY
    assert KEY not in repr(made)
    assert made._get_telemetry_data() == {"model": MODEL}
    with pytest.raises(ValueError, match="token"):
        kind(Secret.from_token(KEY)).to_dict() if kind is not JinaDocumentImageEmbedder else kind(
            api_key=Secret.from_token(KEY)
        ).to_dict()


def test_a_component_of_ours_is_written_down_with_it():
    made = JinaDocumentEmbedder(embedder=Embedder(MODEL, dimensions=32), progress_bar=False)
    again = JinaDocumentEmbedder.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.run(documents("rain")) == made.run(documents("rain"))
    assert len(again.run(documents("rain"))["documents"][0].embedding) == 32


def test_what_ran_on_a_server_does_not_run_as_another_model_where_there_is_no_key(monkeypatch):
    monkeypatch.setenv("JINA_API_KEY", KEY)
    data = JinaTextEmbedder().to_dict()
    monkeypatch.delenv("JINA_API_KEY")
    assert JinaTextEmbedder.from_dict(data).model_name == "jina-embeddings-v3"


def test_foreign_classes_are_not_made_from_settings():
    data = JinaTextEmbedder().to_dict()
    data["init_parameters"]["embedder"] = {"type": "jina_components.core.background.run_sync", "init_parameters": {}}
    with pytest.raises(ConfigError, match="run_sync"):
        JinaTextEmbedder.from_dict(data)


def test_telemetry_is_told_no_path(static_folder):
    assert JinaTextEmbedder(model=str(static_folder))._get_telemetry_data() == {"model": "other"}


def test_a_server_that_refuses_says_why(service):
    embedder = JinaTextEmbedder(model="no-such-model", base_url=service.url, max_retries=0)
    with pytest.raises(JinaComponentsError, match="no-such-model") as refused:
        embedder.run("a")
    embedder.close()
    assert KEY not in str(refused.value)


def test_one_embedder_serves_many_threads(service):
    embedder = JinaDocumentEmbedder(model=MODEL, base_url=service.url, batch_size=7, progress_bar=False)
    wanted = Embedder(MODEL).embed([f"text {number}" for number in range(40)]).vectors
    found = {}

    def run(name):
        found[name] = embedder.run(documents(*(f"text {number}" for number in range(40))))

    threads = [threading.Thread(target=run, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found.values():
        got = np.array([document.embedding for document in each["documents"]])
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    embedder.close()


@pytest.fixture
def pictures(tmp_path, make_pdf):
    PIL.Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    PIL.Image.new("RGB", (640, 480), "blue").save(tmp_path / "blue.jpg")
    make_pdf(["first page", "second page"])
    return tmp_path


class _Sees(_Watched):
    def embed(self, inputs, **how):
        sizes = [PIL.Image.open(io.BytesIO(each.source)).size for each in inputs if isinstance(each, Image)]
        self.asked.append((sizes, how))
        return Embeddings(np.eye(len(inputs), 4, dtype=np.float32))


def test_images_and_pages_of_pdfs_are_embedded(pictures):
    sees = _Sees()
    embedder = JinaDocumentImageEmbedder(
        embedder=sees, root_path=str(pictures), image_size=(100, 100), embedding_dimension=4
    )
    given = [
        Document(content="a red one", meta={"file_path": "red.png"}),
        Document(meta={"file_path": "blue.jpg"}),
        Document(meta={"file_path": "made.pdf", "page_number": 2}),
    ]
    found = embedder.run(given)
    assert found == asyncio.run(embedder.run_async(given))
    sizes, how = sees.asked[0]
    assert sizes[:2] == [(64, 48), (100, 75)]
    assert max(sizes[2]) == 100
    assert how == {"task": "retrieval.passage", "dimensions": 4, "show_progress": False}
    assert [len(each.embedding) for each in found["documents"]] == [4, 4, 4]
    source = {"type": "image", "file_path_meta_field": "file_path"}
    assert found["documents"][0].meta == {"file_path": "red.png", "embedding_source": source}
    again = JinaDocumentImageEmbedder(root_path=str(pictures), image_size=(100, 100), model="jina-clip-v2").to_dict()
    assert JinaDocumentImageEmbedder.from_dict(json.loads(json.dumps(again))).image_size == (100, 100)
    assert embedder.run([]) == {"documents": []}


@pytest.mark.skipif(
    Version(haystack.__version__) < Version("3.2"), reason="Haystack's own reader of images raises its own errors"
)
@pytest.mark.parametrize(
    "meta", [{}, {"file_path": "none.png"}, {"file_path": "made.pdf"}, {"file_path": "made.pdf", "page_number": 9}]
)
def test_a_document_without_a_readable_image_is_named(pictures, meta):
    embedder = JinaDocumentImageEmbedder(embedder=_Sees(), root_path=str(pictures))
    with pytest.raises(InputError, match=r"documents\[1\]"):
        embedder.run([Document(meta={"file_path": "red.png"}), Document(meta=meta)])


def test_images_go_to_a_server_in_batches(server, pictures):
    rows = [{"index": number, "embedding": [1.0, 0.0]} for number in range(2)]
    answer = json.dumps({"data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    server.routes["/v1/embeddings"] = [http(body=answer.encode())] * 2
    embedder = JinaDocumentImageEmbedder(
        api_key=Secret.from_token(KEY), base_url=server.url("/v1/embeddings"), root_path=str(pictures), batch_size=2
    )
    found = embedder.run([Document(id=str(number), meta={"file_path": "red.png"}) for number in range(4)])
    assert len(found["documents"]) == 4
    sent = [json.loads(request.body) for request in server.received]
    assert {each["model"] for each in sent} == {"jina-clip-v2"}
    assert sorted(len(each["input"]) for each in sent) == [2, 2]
    embedder.close()
