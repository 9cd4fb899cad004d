import json
from pathlib import Path

from jina_components import Embedder, EmbeddingCache, Reader, Segmenter
from jina_components.net import Fetcher
from jina_components.read_options import QUOTABLE
from jina_components.scale.describing import describe


def test_components_are_told_apart_by_their_arguments():
    assert describe(Segmenter()) == describe(Segmenter())
    assert describe(Segmenter(overlap=3, max_chunk_length=9)) == describe(Segmenter(max_chunk_length=9, overlap=3))
    assert describe(Segmenter(overlap=3)) != describe(Segmenter(overlap=4))
    assert describe(Embedder("a")) != describe(Embedder("b"))


def test_what_is_within_a_component_counts_and_addresses_in_memory_do_not():
    one, two = (describe(Embedder(cache=EmbeddingCache(folder))) for folder in ("one", "two"))
    assert one != two
    assert describe(Reader(options=QUOTABLE)) == describe(Reader(options=QUOTABLE)) != describe(Reader())
    assert describe(Reader(fetcher=Fetcher())) == describe(Reader(fetcher=Fetcher()))
    assert describe(object()) == "object"
    json.dumps([one, describe(Reader(options=QUOTABLE, fetcher=Fetcher()))])


def test_plain_values():
    values = {"text": "a", "none": None, "path": Path("x"), "many": (1, {"b", "a"})}
    assert describe(values) == {"text": "a", "none": None, "path": "x", "many": [1, ["a", "b"]]}
