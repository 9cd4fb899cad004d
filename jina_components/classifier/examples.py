"""Checks of the examples that callers train and evaluate with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jina_components.classifier.space import Space
from jina_components.classifier.zero_shot import as_label
from jina_components.core.inputs import as_list
from jina_components.errors import InputError
from jina_components.types import shorten
from jina_components.types.classified import Example, Examples


def as_examples(examples: Examples, space: Space) -> list[Example]:
    """Examples of a list of pairs and `Example`s; labels without white space around them.

    Raises:
        InputError: no list, or an item that is no pair of a text or image and a label, or where one of both is blank;
            `.index` names it.
    """
    return [_as_example(item, index, space) for index, item in enumerate(as_list(examples, what="examples"))]


def _as_example(item: Any, index: int, space: Space) -> Example:  # noqa: ANN401 (whatever the caller passed)
    if isinstance(item, Example):
        item = (item.input, item.label)
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise InputError(
            f"examples[{index}] must be a pair (input, label) or an Example, got {shorten(repr(item))}.", index
        )
    space.check_item(item[0], index, what="examples")
    return Example(item[0], as_label(item[1], f"examples[{index}]: the label", index))


def check_known(examples: Sequence[Example], labels: Sequence[str]) -> None:
    """Refuse examples of other labels than those to choose from.

    Raises:
        InputError: one has such a label; `.index` names it.
    """
    known = set(labels)
    for index, example in enumerate(examples):
        if example.label not in known:
            raise InputError(
                f"examples[{index}] has the label {example.label!r}, which is not one to choose from: "
                f"{shorten(', '.join(labels), 200)}.",
                index,
            )
