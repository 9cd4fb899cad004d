from __future__ import annotations

import numpy as np
import pytest

from jina_components.core.inputs import as_documents, as_list, as_pairs, check_count, check_query, check_texts
from jina_components.errors import InputError
from jina_components.types import Document


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
