"""The contract of a reranker."""

from __future__ import annotations

import math
from typing import Any

from jina_components.core.background import run_sync
from jina_components.errors import InputError
from jina_components.protocols import SupportsRerank
from jina_components.testing.assertions import (
    TEXTS,
    in_threads,
    pickled,
    require,
    require_close,
    require_input_error,
)
from jina_components.types import Document, Ranking

_QUERY = "How many boats were in the harbour?"
# More than most models take in one pass.
_LONG = "Bread rises because yeast makes carbon dioxide, and no one counts it. " * 800


def check_reranker(reranker: SupportsRerank, *, tolerance: float = 1e-4) -> None:
    """Check that a reranker behaves as every component expects.

    Best first by finite scores, every document once and unchanged, `index` into the caller's list, ties in
    the caller's order, `top_n` a head of the whole ranking, empty list, refused inputs, a document's score
    independent of its neighbours, documents over the context, equal async twin (when it has one), pickling,
    and calls from many threads at once.

    A document that cannot be ranked may raise InputError that names it by `.index`, or be listed in
    `Ranking.failures` beside the ranking of the others. So may one over the context, unless `truncate`.

    Args:
        reranker: Anything with `rerank`.
        tolerance: Largest difference between two scores of one pair.

    Raises:
        AssertionError: the first broken rule, in words.
    """
    require(isinstance(reranker, SupportsRerank), f"{reranker!r} lacks rerank.")
    ranking = reranker.rerank(_QUERY, list(TEXTS))
    _check_order(reranker, ranking)
    _check_documents(reranker)
    _check_top_n(reranker, ranking, tolerance)
    _check_independence(reranker, ranking, tolerance)
    _check_refusals(reranker)
    _check_long_documents(reranker)
    _check_async_twin(reranker, ranking, tolerance)
    _check_pickling(reranker, ranking, tolerance)
    _check_threads(reranker, ranking, tolerance)


def _check_order(reranker: SupportsRerank, ranking: Ranking) -> None:
    scores = [hit.score for hit in ranking]
    require(scores == sorted(scores, reverse=True), f"Scores are not best first: {scores}.")
    require(all(isinstance(score, float) and math.isfinite(score) for score in scores), f"Not finite: {scores}.")
    require(not ranking.failures, f"Good documents were reported as failures: {ranking.failures}.")
    indices = [hit.index for hit in ranking]
    require(sorted(map(str, indices)) == sorted(map(str, range(len(TEXTS)))), f"Indices are {indices}.")
    for hit in ranking:
        require(hit.document.text == TEXTS[hit.index or 0], f"Index {hit.index} does not point at its document.")
    require(len(reranker.rerank(_QUERY, [])) == 0, "An empty list gave results.")
    twice = [hit.index for hit in reranker.rerank(_QUERY, [TEXTS[0]] * 3)]
    require(twice == [0, 1, 2], f"Equal documents came in the order {twice}, expected the caller's.")


def _check_documents(reranker: SupportsRerank) -> None:
    document = Document(TEXTS[0], "my-id", {"page": 3})
    [hit] = reranker.rerank(_QUERY, [document])
    require(hit.document == document, f"The document came back as {hit.document!r} {hit.document.metadata}.")


def _check_top_n(reranker: SupportsRerank, ranking: Ranking, tolerance: float) -> None:
    for top_n in (1, 3, len(TEXTS), len(TEXTS) + 5):
        head = reranker.rerank(_QUERY, list(TEXTS), top_n=top_n)
        _same(head, Ranking(ranking[:top_n]), tolerance, f"top_n={top_n} against the head of the ranking")


def _check_refusals(reranker: SupportsRerank) -> None:
    wrong: Any = "a bare string"
    require_input_error(lambda: reranker.rerank(_QUERY, wrong), "a bare string as documents")
    bad: dict[str, Any] = {"a blank document": " ", "a number as a document": 3, "a lone surrogate": "bad \ud800"}
    for what, item in bad.items():
        require(_refused(reranker, item, what), f"{what}: was accepted, expected InputError or a failure.")
    require_input_error(lambda: reranker.rerank(" ", ["fine"]), "a blank query")
    require_input_error(lambda: reranker.rerank(_QUERY, ["fine"], top_n=0), "top_n=0")


def _check_long_documents(reranker: SupportsRerank) -> None:
    _refused(reranker, _LONG, "a long document")
    cut = reranker.rerank(_QUERY, ["fine", _LONG], truncate=True)
    indices = sorted(hit.index or 0 for hit in cut)
    require(indices == [0, 1], f"A long document with truncate=True: ranked {indices}, expected both.")


def _refused(reranker: SupportsRerank, item: Any, what: str) -> bool:  # noqa: ANN401 (may be no document)
    """Whether `item`, second of two documents, was refused or reported, by its index and with the other ranked."""
    try:
        ranking = reranker.rerank(_QUERY, ["fine", item])
    except InputError as error:
        require(error.index == 1, f"{what}: InputError.index is {error.index}, expected 1.")
        return True
    except Exception as error:
        raise AssertionError(f"{what}: raised {type(error).__name__}, expected InputError.") from error
    ranked, failed = sorted(hit.index or 0 for hit in ranking), [failure.index for failure in ranking.failures]
    require(
        (ranked, failed) in (([0, 1], []), ([0], [1])),
        f"{what}: ranked {ranked} and reported {failed}, expected each document once.",
    )
    return bool(failed)


def _check_independence(reranker: SupportsRerank, ranking: Ranking, tolerance: float) -> None:
    for hit in ranking:
        alone = reranker.rerank(_QUERY, [hit.document])[0].score
        require_close(alone, hit.score, tolerance, "the score of a document alone")
    backwards = {hit.document.text: hit.score for hit in reranker.rerank(_QUERY, TEXTS[::-1])}
    for hit in ranking:
        require_close(backwards[hit.document.text], hit.score, tolerance, "scores of another order")


def _check_async_twin(reranker: SupportsRerank, ranking: Ranking, tolerance: float) -> None:
    twin: Any = reranker
    if hasattr(twin, "arerank"):
        _same(run_sync(twin.arerank(_QUERY, list(TEXTS))), ranking, tolerance, "arerank against rerank")


def _check_pickling(reranker: SupportsRerank, ranking: Ranking, tolerance: float) -> None:
    with pickled(reranker) as copy:
        _same(copy.rerank(_QUERY, list(TEXTS)), ranking, tolerance, "the ranking after pickling")


def _check_threads(reranker: SupportsRerank, ranking: Ranking, tolerance: float) -> None:
    for got in in_threads(lambda _: reranker.rerank(_QUERY, list(TEXTS)), 40):
        _same(got, ranking, tolerance, "rerank from many threads")


def _same(got: Ranking, wanted: Ranking, tolerance: float, what: str) -> None:
    order, expected = [hit.index for hit in got], [hit.index for hit in wanted]
    require(order == expected, f"{what}: order {order}, expected {expected}.")
    require_close([hit.score for hit in got], [hit.score for hit in wanted], tolerance, what)
