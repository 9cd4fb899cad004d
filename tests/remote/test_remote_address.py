from __future__ import annotations

import pickle

import pytest

from jina_components.errors import ConfigError, UnknownNameError
from jina_components.remote import Remote


@pytest.mark.parametrize(
    ("product", "of_jina", "of_one_server"),
    [
        ("models", "https://api.jina.ai/v1", "http://localhost:8000/v1"),
        ("reader", "https://r.jina.ai", "http://localhost:8000/r"),
        ("search", "https://s.jina.ai", "http://localhost:8000/s"),
        ("grounding", "https://g.jina.ai", "http://localhost:8000/g"),
        ("deepsearch", "https://deepsearch.jina.ai/v1", "http://localhost:8000/v1"),
    ],
)
@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_where_products_are(product, of_jina, of_one_server, end):
    assert Remote(f"https://api.jina.ai{end}").endpoint(product).base_url == of_jina
    assert Remote(f"http://localhost:8000{end}").endpoint(product).base_url == of_one_server


@pytest.mark.parametrize(
    "url", ["https://api.jina.ai.evil.example", "https://jina.ai.example/v1", "http://evil-jina.ai"]
)
def test_who_only_looks_like_jina(url):
    assert Remote(url).endpoint("reader").base_url == f"{url.removesuffix('/v1')}/r"


def test_any_of_jinas_hosts_stands_for_all():
    assert Remote("https://r.jina.ai").endpoint("search").base_url == "https://s.jina.ai"


def test_how_they_are_asked_goes_along():
    remote = pickle.loads(pickle.dumps(Remote(api_key="s3cret", concurrency=2, timeout=5, retries=0)))
    endpoint = remote.endpoint("models")
    assert (endpoint.api_key, endpoint.concurrency, endpoint.timeout, endpoint.retries) == ("s3cret", 2, 5, 0)
    assert endpoint.dialect == "jina"
    assert "s3cret" not in repr(remote)


@pytest.mark.parametrize(
    "wrong",
    [{"base_url": "localhost"}, {"base_url": "http://[::1"}, {"base_url": None}, {"timeout": 0}, {"api_key": "a b"}],
)
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ConfigError):
        Remote(**wrong)


def test_an_unknown_product():
    with pytest.raises(UnknownNameError, match="reader"):
        Remote().endpoint("read")
