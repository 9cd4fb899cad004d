from __future__ import annotations

import pickle

import numpy as np
import pytest

from jina_components.core.inputs import (
    as_document,
    as_documents,
    as_list,
    as_pairs,
    at_index,
    check_count,
    check_query,
    check_text_item,
    check_texts,
)
from jina_components.errors import ContentTooLargeError, FetchTimeoutError, HTTPStatusError, InputError, WebError
from jina_components.types import Document, Image


@pytest.mark.parametrize("items", [[], ["a"], ("a", "b"), ["a", 3]])
def test_sequences_are_lists(items):
    assert as_list(items, what="texts") is items


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("a bare string", r"^texts must be a list, got str: pass \['a bare string'\]\.$"),
        ("a very long bare string that goes on", r"pass \['a very long bare st…'\]"),
        (b"bytes", "got bytes: pass a list"),
        ({"a": 1}, "got dict"),
        ({"a", "b"}, "got set"),
        (None, "got NoneType"),
        (3, "got int"),
        (iter(["a"]), "got list_iterator"),
        (np.array(["a"]), "got ndarray"),
    ],
)
def test_what_is_no_list(items, message):
    with pytest.raises(InputError, match=message):
        as_list(items, what="texts")
    with pytest.raises(InputError, match=message):
        check_texts(items, what="texts")


def test_texts_pass_unchanged():
    texts = ("one", " two ", "三")
    assert check_texts(texts, what="texts") is texts
    assert check_texts([], what="texts") == []


@pytest.mark.parametrize("bad", ["", " ", "\n\t", "\u3000", 3, None, b"x", ["nested"]])
def test_the_bad_text_is_named(bad):
    for check in (check_texts, as_documents):
        with pytest.raises(InputError, match=r"things\[2\]") as caught:
            check(["fine", "fine", bad, ""], what="things")
        assert caught.value.index == 2


def test_documents_of_texts_and_documents():
    document = Document("two", "id-2", {"page": 1})
    documents = as_documents(["one", document], what="documents")
    assert documents[0] == Document("one")
    assert documents[1] is document
    with pytest.raises(InputError, match=r"documents\[0\] is empty"):
        as_documents([Document(" ")], what="documents")


def test_queries():
    assert check_query(" what? ") == " what? "
    with pytest.raises(InputError, match="query is empty"):
        check_query(" \n")
    with pytest.raises(InputError, match="question must be str, got list"):
        check_query(["what?"], what="question")


def test_counts():
    for fine in (1, 10**9):
        check_count(fine, what="top_k")
    for bad in (0, -1, 2.0, "3"):
        with pytest.raises(InputError, match="top_k must be a positive integer"):
            check_count(bad, what="top_k")


def test_pairs():
    assert as_pairs([("a", "b"), ["c", "d"]]) == [("a", "b"), ("c", "d")]
    assert as_pairs([]) == []


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("ab", r"pairs\[1\] must be \(premise, hypothesis\), two str, got str\.$"),
        (("a", 3), r"got tuple of \(str, int\)\.$"),
        (["a"], r"got list of \(str\)\.$"),
        (("a", "\t"), r"pairs\[1\]: the hypothesis is empty\.$"),
        (("", ""), r"pairs\[1\]: the premise is empty\.$"),
    ],
)
def test_what_is_no_pair(item, message):
    with pytest.raises(InputError, match=message) as caught:
        as_pairs([("a", "b"), item])
    assert caught.value.index == 1


def test_what_is_no_image_is_told_how_to_become_one():
    given = pytest.importorskip("PIL.Image").new("L", (2, 2))
    wrap = r"jina_components\.Image, got PIL\.Image\.Image: wrap it, jina_components\.Image\(picture\)\.$"
    with pytest.raises(InputError, match=rf"^things\[1\] must be str or {wrap}"):
        check_text_item(given, 1, what="things", images=True)
    with pytest.raises(InputError, match=rf"^things\[1\] must be str, Document or {wrap}"):
        as_document(given, 1, what="things", images=True)
    with pytest.raises(InputError, match=rf"^query must be str or {wrap}"):
        check_query(given, images=True)
    with pytest.raises(InputError, match=r"^things\[1\] must be str, got PIL\.Image\.Image\.$"):
        check_text_item(given, 1, what="things")
    with pytest.raises(InputError, match=r"got jina_components\.types\.texts\.Image\.$"):
        check_query(Image(given))
    with pytest.raises(InputError, match=r"must be str or jina_components\.Image, got bytes\.$"):
        check_query(b"x", images=True)


@pytest.mark.parametrize(
    "error",
    [
        InputError("bad", 0),
        WebError("bad", "http://x"),
        FetchTimeoutError("bad", "http://x"),
        ContentTooLargeError("bad", "http://x"),
        HTTPStatusError("bad", "http://x", 404),
    ],
)
def test_an_error_is_placed_in_a_list(error):
    placed = at_index(error, 3, what="inputs")
    copy = pickle.loads(pickle.dumps(placed))
    for one in (placed, copy):
        assert (type(one), str(one), one.index) == (type(error), "inputs[3]: bad", 3)
        kept = {name: value for name, value in vars(error).items() if name not in ("message", "index")}
        assert kept.items() <= vars(one).items()
    assert placed.__cause__ is error
