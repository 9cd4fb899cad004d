"""The contract of an entailment scorer."""

from __future__ import annotations

import math
from typing import Any

from jina_components.core.background import run_sync
from jina_components.errors import InputError
from jina_components.protocols import SupportsEntailment
from jina_components.testing.assertions import (
    TEXTS,
    in_threads,
    pickled,
    require,
    require_close,
    require_input_error,
)
from jina_components.types import Entailment, Entailments

_HYPOTHESIS = "Forty boats were in the harbour."
_PAIRS: tuple[tuple[str, str], ...] = (
    *((text, _HYPOTHESIS) for text in TEXTS),
    *((TEXTS[0], text) for text in TEXTS[1:3]),
    (_HYPOTHESIS, _HYPOTHESIS),
)
# More than most models take in one pass.
_LONG = "Bread rises because yeast makes carbon dioxide, and no one counts it. " * 800
# Between the sum of three probabilities in float32 and 1.
_SUM_TOLERANCE = 1e-5


def check_entailment_scorer(scorer: SupportsEntailment, *, tolerance: float = 1e-4) -> None:
    """Check that an entailment scorer behaves as every component expects.

    One result a pair, in their order; probabilities that sum to 1, and a label that is the largest; an empty list;
    refused inputs; results independent of their neighbours; long premises and hypotheses; equal async twin (when it
    has one), pickling, and calls from many threads at once.

    A premise or hypothesis over the context may raise InputError that names the pair by `.index`, unless `truncate`.

    Args:
        scorer: Anything with `score`.
        tolerance: Largest difference between two probabilities of one pair.

    Raises:
        AssertionError: the first broken rule, in words.
    """
    require(isinstance(scorer, SupportsEntailment), f"{scorer!r} lacks score.")
    results = scorer.score(list(_PAIRS))
    _check_results(scorer, results)
    _check_independence(scorer, results, tolerance)
    _check_refusals(scorer)
    _check_long_texts(scorer)
    _check_async_twin(scorer, results, tolerance)
    _check_pickling(scorer, results, tolerance)
    for got in in_threads(lambda _: scorer.score(list(_PAIRS)), 40):
        _same(got, results, tolerance, "score from many threads")


def _check_results(scorer: SupportsEntailment, results: Entailments) -> None:
    require(len(results) == len(_PAIRS), f"{len(_PAIRS)} pairs gave {len(results)} results.")
    for result in results:
        require(isinstance(result, Entailment), f"A result is no Entailment: {result!r}.")
        row = _row(result)
        require(
            all(isinstance(value, float) and math.isfinite(value) and 0 <= value <= 1 for value in row),
            f"No probabilities: {row}.",
        )
        require(abs(sum(row) - 1) <= _SUM_TOLERANCE, f"Probabilities sum to {sum(row)}, expected 1: {row}.")
        require(getattr(result, result.label) == max(row), f"The label {result.label!r} is not the largest: {row}.")
    require(len(scorer.score([])) == 0, "An empty list gave results.")


def _check_independence(scorer: SupportsEntailment, results: Entailments, tolerance: float) -> None:
    for pair, result in zip(_PAIRS, results, strict=True):
        [alone] = scorer.score([pair])
        require_close(_row(alone), _row(result), tolerance, "the result of a pair alone")
    backwards = Entailments(tuple(scorer.score(list(_PAIRS[::-1])))[::-1])
    _same(backwards, results, tolerance, "the results of another order")
    twice = list(scorer.score([_PAIRS[0]] * 2))
    require(len(twice) == 2 and twice[0] == twice[1], f"A pair twice gave {twice}.")


def _check_refusals(scorer: SupportsEntailment) -> None:
    wrong: Any = "a bare string"
    require_input_error(lambda: scorer.score(wrong), "a bare string as pairs")
    bad: dict[str, Any] = {
        "a bare string as a pair": "ab",
        "one text as a pair": ("premise",),
        "three texts as a pair": ("premise", "hypothesis", "more"),
        "a number as a premise": (3, "hypothesis"),
        "None as a hypothesis": ("premise", None),
        "a blank premise": (" ", "hypothesis"),
        "a blank hypothesis": ("premise", "\n"),
    }
    for what, item in bad.items():
        _require_refused(scorer, item, what)


def _require_refused(scorer: SupportsEntailment, item: Any, what: str) -> None:  # noqa: ANN401 (no pair)
    require_input_error(lambda: scorer.score([_PAIRS[0], item, _PAIRS[1]]), what, index=1)


def _check_long_texts(scorer: SupportsEntailment) -> None:
    for what, pair in {"premise": (_LONG, _HYPOTHESIS), "hypothesis": (_HYPOTHESIS, _LONG)}.items():
        try:
            results = scorer.score([_PAIRS[0], pair])
        except InputError as error:
            require(error.index == 1, f"a long {what}: InputError.index is {error.index}, expected 1.")
        else:
            require(len(results) == 2, f"a long {what}: 2 pairs gave {len(results)} results.")
        try:
            cut = scorer.score([_PAIRS[0], pair], truncate=True)
        except InputError as error:
            raise AssertionError(f"a long {what} with truncate=True: was refused: {error}") from error
        require(len(cut) == 2, f"a long {what} with truncate=True: 2 pairs gave {len(cut)} results.")


def _check_async_twin(scorer: SupportsEntailment, results: Entailments, tolerance: float) -> None:
    twin: Any = scorer
    if hasattr(twin, "ascore"):
        _same(run_sync(twin.ascore(list(_PAIRS))), results, tolerance, "ascore against score")


def _check_pickling(scorer: SupportsEntailment, results: Entailments, tolerance: float) -> None:
    with pickled(scorer) as copy:
        _same(copy.score(list(_PAIRS)), results, tolerance, "the results after pickling")


def _row(result: Entailment) -> tuple[float, float, float]:
    return result.entailment, result.neutral, result.contradiction


def _same(got: Entailments, wanted: Entailments, tolerance: float, what: str) -> None:
    require_close([_row(result) for result in got], [_row(result) for result in wanted], tolerance, what)
