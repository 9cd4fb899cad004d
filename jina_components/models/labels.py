"""What the columns of a sequence-classification checkpoint mean: found by the names in its config.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jina_components.errors import ModelFilesError

RELEVANCE = "relevance"
# Labels by what they say of a hypothesis, the first that is there; case does not count. Models of two labels tell
# "not_entailment" alone, which is no contradiction yet.
_OUTCOMES = {
    "entailment": ("entailment",),
    "neutral": ("neutral", "not_entailment"),
    "contradiction": ("contradiction",),
}


class EntailmentColumns(NamedTuple):
    """Columns of the logits; None for an outcome that a model does not know, whose probability is 0."""

    entailment: int
    neutral: int | None
    contradiction: int | None


def read_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Labels by column, as transformers reads them from a `config.json`: two without a name when it tells nothing.

    Raises:
        ModelFilesError: `id2label` does not number its labels from 0.
    """
    named = config.get("id2label")
    if named is None:
        return tuple(f"LABEL_{column}" for column in range(int(config.get("num_labels", 2))))
    labels = {str(column): str(label) for column, label in named.items()} if isinstance(named, Mapping) else {}
    if not labels or set(labels) != set(map(str, range(len(labels)))):
        raise ModelFilesError(f"config.json: id2label must number the labels from 0, got {named!r}.")
    return tuple(labels[str(column)] for column in range(len(labels)))


def relevance_column(labels: Sequence[str], name: str) -> int:
    """The column a reranker reads: the only one, or else that of `relevance`.

    Args:
        labels: By column.
        name: Of the model, for the error.

    Raises:
        ModelFilesError: several labels, none of them `relevance`.
    """
    columns = _columns(labels)
    if len(labels) != 1 and RELEVANCE not in columns:
        raise ModelFilesError(
            f"{name!r} scores {_listed(labels)}; a reranker needs a model of one label, or one named {RELEVANCE!r} in "
            "the id2label of its config.json."
        )
    return columns.get(RELEVANCE, 0)


def entailment_columns(labels: Sequence[str], name: str) -> EntailmentColumns:
    """The columns an entailment scorer reads: `entailment`, and what is there of the others.

    Args:
        labels: By column.
        name: Of the model, for the error.

    Raises:
        ModelFilesError: `entailment` is missing, or all of `neutral`, `not_entailment` and `contradiction` are.
    """
    columns = _columns(labels)
    entailment, neutral, contradiction = (
        next((columns[name] for name in names if name in columns), None) for names in _OUTCOMES.values()
    )
    if entailment is None or (neutral is None and contradiction is None):
        raise ModelFilesError(
            f"{name!r} scores {_listed(labels)}; an entailment scorer needs a label 'entailment', and 'neutral', "
            "'contradiction' or 'not_entailment' beside it, in the id2label of its config.json."
        )
    return EntailmentColumns(entailment, neutral, contradiction)


def _columns(labels: Sequence[str]) -> dict[str, int]:
    return {label.lower(): column for column, label in enumerate(labels)}


def _listed(labels: Sequence[str]) -> str:
    return f"the label{'s' if len(labels) > 1 else ''} {', '.join(map(repr, labels))}"
