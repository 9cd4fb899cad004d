from __future__ import annotations

import copy
import json
import pickle
import threading

import pytest

from jina_components import (
    Embedder,
    Endpoint,
    FaissStore,
    Fusion,
    OpenAIChat,
    PgvectorStore,
    Reader,
    ReadOptions,
    Retriever,
    SearchOptions,
    Segmenter,
)
from jina_components.core.component import Component
from jina_components.errors import ConfigError, InputError
from jina_components.net import Fetcher
from jina_components.remote import Remote, RemoteSearch


class Counter(Component):
    """Has state that does not pickle."""

    def __init__(self, start, *, step=1):
        self.value = start * step
        self.lock = threading.Lock()
        self.closed = False

    def close(self):
        self.closed = True


class Failing(Component):
    def __init__(self, start):
        raise ValueError("no")


@pytest.mark.parametrize("travel", [lambda c: pickle.loads(pickle.dumps(c)), copy.copy, copy.deepcopy])
def test_a_component_travels_as_its_arguments(travel):
    counter = Counter(3, step=2)
    counter.value = 100
    other = travel(counter)
    assert type(other) is Counter
    assert other.value == 6
    assert other.lock is not counter.lock


def test_a_with_block_closes():
    with Counter(1) as counter:
        assert not counter.closed
    assert counter.closed
    with pytest.raises(KeyError), Counter(1) as counter:
        raise KeyError
    assert counter.closed


def test_a_component_without_resources_closes_too():
    with Component() as component:
        component.close()


def test_errors_of_the_constructor_are_its_own():
    with pytest.raises(ValueError, match="no"):
        Failing(1)
    with pytest.raises(TypeError):
        Counter(1, stride=2)


class Nested(Component):
    def __init__(self, part, *, names=(), folder=None, api_key=None):
        self.given = (part, names, folder, api_key)


def test_settings_are_json_and_make_the_same_component(tmp_path):
    endpoint = Endpoint("http://localhost:8000/v1", dialect="jina", batch_size=7)
    embedder = Embedder("static-minilm-v1", dimensions=64, endpoint=endpoint, cache=tmp_path)
    retriever = Retriever(embedder, store=FaissStore(tmp_path / "index"), fusion=Fusion(weights={"dense": 1.0}))
    settings = json.loads(json.dumps(retriever.to_dict()))
    assert settings["type"] == "jina_components.retriever.retriever.Retriever"
    assert settings["init_parameters"]["embedder"]["init_parameters"]["dimensions"] == 64
    again = Component.from_dict(settings)
    assert isinstance(again, Retriever)
    assert again.to_dict() == settings


def test_options_keep_their_types():
    reader = Reader(options=ReadOptions(headers={"a": "b"}, chunking="s2"))
    again = Reader.from_dict(json.loads(json.dumps(reader.to_dict())))
    assert again.options == reader.options


@pytest.mark.parametrize(
    ("component", "named"),
    [
        (Embedder("m", endpoint=Endpoint("http://localhost/v1", api_key="s3cret")), "Embedder.endpoint.api_key"),
        (OpenAIChat("m", base_url="http://localhost/v1", api_key="s3cret"), "OpenAIChat.api_key"),
        (Retriever(store=PgvectorStore("postgresql://me:s3cret@db/x", table="t")), "Retriever.store.dsn"),
        (Retriever(store=PgvectorStore("host=db password=s3cret", table="t")), "Retriever.store.dsn"),
        (Reader(options=ReadOptions(proxy="http://me:s3cret@proxy:3128")), "Reader.options.proxy"),
        (Reader(options=ReadOptions(cookies=("id=s3cret",))), "Reader.options.cookies"),
        (RemoteSearch(Remote(), options=SearchOptions(read_options=ReadOptions(headers={"X-Api-Key": "s3cret"}))),
         "RemoteSearch.options.read_options.headers.X-Api-Key"),
        (Reader(fetcher=Fetcher()), "Reader.fetcher"),
        (Nested({"of": [{"them": object()}]}), "Nested.part.of[0].them"),
        (Nested(1), "Nested"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_down_is_named_and_no_secret_is_told(component, named):
    with pytest.raises(ConfigError) as raised:
        component.to_dict()
    assert str(raised.value).startswith(f"{named} ")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "path", ["os.system", "jina_components.__main__.main", "jina_components.core.component.import_module", 3,
             "jina_components.nothing.Here",
             "jina_components.embedder.ConfigError", "subprocess.Popen", "jina_components.embedder.Component"],
)  # fmt: skip
def test_settings_call_no_code_but_that_of_components(path):
    with pytest.raises(ConfigError, match="no component"):
        Component.from_dict({"type": path, "init_parameters": {"command": "true"}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dimension": 64}, "dimension"),
        ({"dimensions": "a"}, "dimensions"),
        ([], "Embedder"),
        ({"endpoint": {"type": "jina_components.models.endpoint.Endpoint", "init_parameters": {}}}, "base_url"),
        ({"endpoint": {"type": "jina_components.models.endpoint.Endpoint",
                       "init_parameters": {"base_url": "http://localhost", "timeot": 3}}}, "endpoint has no timeot"),
    ],
)  # fmt: skip
def test_settings_that_make_no_component(settings, words):
    with pytest.raises(ConfigError, match=words):
        Embedder.from_dict({"type": "jina_components.embedder.Embedder", "init_parameters": settings})


@pytest.mark.parametrize("component", [Retriever(), FaissStore(), Retriever(store=FaissStore())])
def test_what_is_in_memory_alone_is_not_written_down(component):
    with pytest.raises(InputError, match="in memory"):
        component.to_dict()


def test_settings_of_another_component():
    with pytest.raises(ConfigError, match="Segmenter"):
        Embedder.from_dict(Segmenter().to_dict())
