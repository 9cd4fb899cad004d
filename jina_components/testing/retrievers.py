"""The contract of a retriever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from jina_components.core.background import run_sync
from jina_components.filters import Field, FilterLike
from jina_components.testing.assertions import in_threads, require, require_input_error
from jina_components.types import Document, Ranking

_DOCUMENTS = (
    Document("Paris is the capital of France.", "paris", {"lang": "en", "year": 1987}),
    Document("Berlin ist die Hauptstadt von Deutschland.", "berlin", {"lang": "de", "year": 1991}),
    Document("Rain is due in the afternoon.", "rain", {"lang": "en", "year": 2024}),
)
_QUERY = "Rain is due in the afternoon"


class WritableRetriever(Protocol):
    """What a retriever of one's own documents offers."""

    def add(self, documents: Sequence[str | Document]) -> list[str]:
        """Add documents, replacing those of the same id; their ids, in order."""
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Delete documents; how many were there."""
        ...

    def retrieve(self, query: str, *, top_k: int = ..., filter: FilterLike | None = ...) -> Ranking:
        """The best documents, best first."""
        ...

    def __len__(self) -> int: ...


def check_retriever(make_retriever: Callable[[], WritableRetriever]) -> None:
    """Check that a retriever behaves as every component expects.

    Ids in order, the matching document first, scores best first, `top_k`, filters of both forms, replacing and
    deleting, refused inputs that change nothing, equal async twins, many queries at once and further look-ups (when it
    has them), and calls from many threads.

    Args:
        make_retriever: Gives a new, empty retriever at each call; it is closed at the end, if it can be.

    Raises:
        AssertionError: the first broken rule, in words.
    """
    with ExitStack() as made:
        for check in _CHECKS:
            retriever = make_retriever()
            close = getattr(retriever, "close", None)
            if close is not None:
                made.callback(close)
            require(len(retriever) == 0, "make_retriever gave a retriever that is not empty.")
            require_input_error(lambda: retriever.retrieve(_QUERY), "a retriever without documents")  # noqa: B023
            ids = retriever.add(list(_DOCUMENTS))
            require(ids == [document.id for document in _DOCUMENTS], f"add returned {ids}.")
            require(len(retriever) == len(_DOCUMENTS), f"{len(retriever)} documents after adding {len(_DOCUMENTS)}.")
            check(retriever)


def _check_retrieving(retriever: WritableRetriever) -> None:
    ranking = retriever.retrieve(_QUERY)
    scores = [hit.score for hit in ranking]
    require(scores == sorted(scores, reverse=True), f"Scores are not best first: {scores}.")
    require(_ids(ranking)[:1] == ["rain"], f"The document with the words of the query is not first: {ranking!r}.")
    require(len(set(_ids(ranking))) == len(ranking), f"A document came twice: {ranking!r}.")
    require(ranking[0].document == _DOCUMENTS[2], f"The document came back as {ranking[0].document!r}.")
    head = _ids(retriever.retrieve(_QUERY, top_k=1))
    require(head == ["rain"], f"top_k=1 gave {head}.")


def _check_filters(retriever: WritableRetriever) -> None:
    german = _ids(retriever.retrieve(_QUERY, filter={"lang": "de"}))
    require(set(german) <= {"berlin"}, f"filter={{'lang': 'de'}} gave {german}.")
    for recent in (Field("year") >= 1991, {"year": {"$gte": 1991}}):
        later = _ids(retriever.retrieve(_QUERY, filter=recent))
        require(later[:1] == ["rain"] and set(later) <= {"rain", "berlin"}, f"filter={recent!r} gave {later}.")
    none = _ids(retriever.retrieve(_QUERY, filter={"lang": "xx"}))
    require(not none, f"A filter that nothing matches gave {none}.")


def _check_changes(retriever: WritableRetriever) -> None:
    retriever.add([Document("Snow melts on the pass.", "rain")])
    require(len(retriever) == len(_DOCUMENTS), "A document of the same id was added beside the old one.")
    texts = [hit.document.text for hit in retriever.retrieve(_QUERY)]
    require(_DOCUMENTS[2].text not in texts, "A replaced document is still found.")
    count = retriever.delete(["paris", "no-such-id"])
    require(count == 1, f"delete of one known and one unknown id returned {count}.")
    require("paris" not in _ids(retriever.retrieve("capital of France")), "A deleted document is still found.")
    require(len(retriever) == len(_DOCUMENTS) - 1, f"{len(retriever)} documents after deleting one.")


def _check_refusals(retriever: WritableRetriever) -> None:
    wrong: Any = "a bare string"
    require_input_error(lambda: retriever.add(wrong), "add('a bare string')")
    require_input_error(lambda: retriever.add(["fine", "  "]), "a blank document", index=1)
    require_input_error(lambda: retriever.delete(wrong), "delete('a bare string')")
    require_input_error(lambda: retriever.retrieve(""), "an empty query")
    require_input_error(lambda: retriever.retrieve(_QUERY, top_k=0), "top_k=0")
    require_input_error(
        lambda: retriever.retrieve(_QUERY, filter={"year": {"$above": 3}}), "an unknown filter operator"
    )
    require(len(retriever) == len(_DOCUMENTS), "A refused call changed the documents.")
    require(retriever.add([]) == [], "add([]) did not return [].")


def _check_async_twins(retriever: WritableRetriever) -> None:
    twin: Any = retriever
    if hasattr(twin, "aretrieve"):
        got, wanted = run_sync(twin.aretrieve(_QUERY)), retriever.retrieve(_QUERY)
        require(_ids(got) == _ids(wanted), f"aretrieve gave {_ids(got)}, retrieve {_ids(wanted)}.")
    if hasattr(twin, "aadd"):
        added = run_sync(twin.aadd([Document("Wind turns north.", "wind")]))
        require(added == ["wind"] and len(retriever) == len(_DOCUMENTS) + 1, f"aadd returned {added}.")
    if hasattr(twin, "adelete"):
        count = run_sync(twin.adelete(["paris"]))
        require(count == 1 and "paris" not in _ids(retriever.retrieve("Paris")), f"adelete returned {count}.")


def _check_many(retriever: WritableRetriever) -> None:
    whole: Any = retriever
    queries = [_QUERY, "capital of France", _QUERY]
    if hasattr(whole, "retrieve_many"):
        got, wanted = whole.retrieve_many(queries), [retriever.retrieve(query) for query in queries]
        require([_ids(each) for each in got] == [_ids(each) for each in wanted], f"retrieve_many gave {got!r}.")
        require(whole.retrieve_many([]) == [], "retrieve_many([]) did not return [].")
        if hasattr(whole, "aretrieve_many"):
            twins = run_sync(whole.aretrieve_many(queries))
            require(
                [_ids(each) for each in twins] == [_ids(each) for each in wanted], f"aretrieve_many gave {twins!r}."
            )


def _check_look_ups(retriever: WritableRetriever) -> None:
    whole: Any = retriever
    if hasattr(whole, "documents"):
        held = sorted(document.id for document in whole.documents())
        require(held == ["berlin", "paris", "rain"], f"documents() gave {held}.")
        german = [document.id for document in whole.documents(filter={"lang": "de"})]
        require(german == ["berlin"], f"documents(filter={{'lang': 'de'}}) gave {german}.")
    if hasattr(whole, "count"):
        require(whole.count(filter={"lang": "en"}) == 2, "count(filter={'lang': 'en'}) is not 2.")
    if hasattr(whole, "__contains__"):
        require("rain" in whole and "no-such-id" not in whole, "`in` does not tell which ids are held.")


def _check_threads(retriever: WritableRetriever) -> None:
    def work(number: int) -> None:
        retriever.add([Document(f"Note number {number}.", f"note-{number}")])
        retriever.retrieve(_QUERY)
        if number % 2:
            retriever.delete([f"note-{number}"])

    in_threads(work, 40)
    require(len(retriever) == len(_DOCUMENTS) + 20, f"{len(retriever)} documents after 40 adds and 20 deletes.")
    first = _ids(retriever.retrieve(_QUERY))[:1]
    require(first == ["rain"], f"After changes from many threads the first result is {first}.")


def _ids(ranking: Ranking) -> list[str]:
    return [hit.document.id for hit in ranking]


_CHECKS = (
    _check_retrieving, _check_filters, _check_changes, _check_refusals, _check_async_twins, _check_many,
    _check_look_ups, _check_threads,
)  # fmt: skip
