"""Results survive as JSON, and what is not of the type is refused."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components import errors
from jina_components.errors import (
    ChatError,
    FetchTimeoutError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    ReadError,
    WebError,
)
from jina_components.protocols import ChatReply
from jina_components.types import (
    Document,
    DocumentFailure,
    Entailment,
    Entailments,
    Grounding,
    Page,
    Ranking,
    Reference,
    ScoredDocument,
    SearchResult,
    SearchResults,
    StageScore,
    Usage,
)
from jina_components.types.codec import decode, encode
from jina_components.types.grounded import ClaimVerdict

DOCUMENT = Document("Größe \ud83d", metadata={"source": "s", "start": 0, "deep": {"a": [1, None, 0.5]}})
REFERENCE = Reference("https://a.example", "quote", is_supportive=True, confidence=1 / 3, start=0, end=5)


def through(value: Any, kind: Any) -> Any:
    """By way of a file."""
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)), kind)


@pytest.mark.parametrize(
    "value",
    [
        ChatReply("text", Usage(5, 7), "length"),
        Page(
            "https://a.example", "Title", "Content", links=(("a", "https://b.example"),), page_offsets=(0, 5),
            metadata={"author": "x"}, external={"canonical": {"u": {"rel": "x"}}}, screenshot=b"\x00\xff",
            extracted={"a": [1]}, usage=Usage(0, 3), warnings=("w",),
        ),
        SearchResults(
            "q",
            (
                SearchResult("https://a.example", "A", page=Page("https://a.example", "A", "text"), image_width=5),
                SearchResult("https://b.example", site_links=(("x", "https://b.example/x"),)),
            ),
            Usage(1),
            ("provider failed",),
        ),
        Ranking((ScoredDocument(DOCUMENT, 0.1 + 0.2, 3, (StageScore("dense", -math.inf, 1),)),), Usage(9)),
        Entailments((Entailment(0.1, 0.2, 0.7),)),
        Grounding(
            "s", 0.7, result=True, verdict="supported", reason="r", references=(REFERENCE,),
            claims=(ClaimVerdict("c", "refuted", 0.1, (REFERENCE,)),), warnings=("w",),
        ),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_results_survive(value: Any) -> None:
    assert through(value, type(value)) == value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([[0.5, 1.0], []], list[list[float]]),
        (("a", 1, None), tuple[str, int, float | None]),
        ((DOCUMENT, DOCUMENT), tuple[Document, ...]),
        ({"a": Usage(1)}, dict[str, Usage]),
        (None, Page | None),
        ("low", Literal["low", "high"]),
        (None, type(None)),
        (True, bool),
        ({"any": [1, "x", None]}, Any),
    ],
)
def test_types_of_all_kinds(value: Any, kind: Any) -> None:
    found = through(value, kind)
    assert found == value
    assert type(found) is type(value)


def test_numbers_of_numpy_become_those_of_python() -> None:
    matrix = np.array([[0.5, 0.25]], dtype=np.float32)
    assert through(matrix, list[list[float]]) == [[0.5, 0.25]]
    assert through([np.float32(0.5), np.int64(3), np.bool_(True)], list[Any]) == [0.5, 3, True]
    assert math.isnan(through(float("nan"), float))


def _made() -> list[JinaComponentsError]:
    """One of each class."""
    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, JinaComponentsError)
    ]
    return [each("what failed") for each in classes]


@pytest.mark.parametrize(
    "error",
    [
        *_made(),
        HTTPStatusError("m", "https://a.example", 503, 1.5),
        WebError("m", "https://a.example"),
        ChatError("m", 429),
        InputError("m", 4),
        ReadError("m", "/a"),
    ],
    ids=repr,
)
def test_errors_survive(error: JinaComponentsError) -> None:
    found = through(error, JinaComponentsError)
    assert (type(found), found.args, vars(found), str(found)) == (type(error), error.args, vars(error), str(error))


def test_errors_within_results_survive() -> None:
    error = FetchTimeoutError("slow", "https://a.example")
    results = through(SearchResults("q", (SearchResult("https://a.example", error=error),)), SearchResults)
    found = results[0].error
    assert (type(found), found.url, str(found)) == (FetchTimeoutError, "https://a.example", "slow")
    ranking = through(Ranking(failures=(DocumentFailure(1, InputError("too long", 1)),)), Ranking)
    assert isinstance(ranking.failures[0].error, InputError)


def test_errors_of_others_become_the_nearest_of_ours() -> None:
    class MineError(ChatError):
        def __init__(self, model: str, number: int, more: object) -> None:
            super().__init__(f"{model} failed")
            self.args = (model, number, more)

    found = through(MineError("m", 1, object()), JinaComponentsError)
    assert (type(found), str(found)) == (ChatError, "m failed")


def test_subclasses_become_what_is_asked_for() -> None:
    @dataclass(frozen=True)
    class MinePage(Page):
        mine: str = "x"

    assert through(MinePage("u", "t", "c", mine="y"), Page) == Page("u", "t", "c")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("text", int),
        (True, int),
        (1, str),
        (None, str),
        (1.5, int),
        ("abc", float),
        ("é", bytes),
        ([1], tuple[int, int]),
        ({}, list[int]),
        ([], dict[str, int]),
        ("c", Literal["a", "b"]),
        ("x", int | None),
        ({"text": 5}, Document),
        ({"title": "no url"}, Page),
        ([], Page),
        (["ChatError"], JinaComponentsError),
        (["SystemExit", "x"], JinaComponentsError),
        (["ChatError", "x", 1, 2, 3], JinaComponentsError),
        (["ChatError", "x"], WebError),
    ],
)
def test_refuses_what_is_of_another_type(value: Any, kind: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(value, kind)


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a"}, [ValueError("x")]])
def test_refuses_what_it_cannot_keep(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be kept"):
        encode(value)


@pytest.mark.parametrize("kind", [set[int], object, complex])
def test_refuses_types_that_it_does_not_know(kind: Any) -> None:
    with pytest.raises(TypeError, match="no type that a trace can hold"):
        decode([1], kind)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_json_values_survive(value: Any) -> None:
    assert through(value, Any) == value


@given(st.builds(Document, st.text(), st.text(), st.dictionaries(st.text(), json_values, max_size=3)))
def test_documents_survive(document: Document) -> None:
    assert through(document, Document) == document


def test_vectors_of_a_ranking_are_left_out():
    hit = ScoredDocument(DOCUMENT, 1.0)
    assert encode(Ranking((hit,), vectors=np.ones((1, 512), np.float32))) == encode(Ranking((hit,)))
