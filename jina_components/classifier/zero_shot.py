"""Labels by what their names mean: how near an input lies to each of them.

A label lies at the mean of its texts, each put into every template (prompt ensembling, Radford et al. 2021,
arXiv:2103.00020). Probabilities of exclusive labels are the softmax of `cosine / temperature`.

Without a temperature of the caller's it is the spread of the cosines of unrelated texts divided by 1.3, so that
embedders whose vectors all lie close together are read on their own scale. Both numbers below were chosen on CLINC150
(intents, and their ten domains), SIB-200 and SST-2 with three embedders; see `benchmarks/quality/classifier.py`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.classifier.space import Space
from jina_components.core.inputs import check_unicode
from jina_components.core.vectors import normalize
from jina_components.errors import ConfigError, InputError
from jina_components.types import Usage, shorten
from jina_components.types.classified import Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

TEMPLATES = ("{}", "Topic: {}")
"""What labels are put into by default."""

# Sharpness of exclusive and of independent labels, in spreads of the cosines of unrelated texts.
_EXCLUSIVE, _INDEPENDENT = 1.3, 0.8
# Log odds against a label at the mean cosine of unrelated texts, beside those of one label of all that are asked for.
_AGAINST = 0.4
_MOST_SETS = 32


class LabelSet(NamedTuple):
    """Labels that were asked for.

    Attributes:
        names: Distinct, without white space around them.
        texts: What stands for each, templates filled in.
    """

    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]


def as_templates(template: str | Sequence[str]) -> tuple[str, ...]:
    """One template, or several, as a tuple.

    Raises:
        ConfigError: none, or one without the placeholder `{}`.
    """
    templates = (template,) if isinstance(template, str) else tuple(template)
    for one in templates:
        if not isinstance(one, str) or "{}" not in one:
            raise ConfigError(f"A template must have {{}} where the label goes, as in 'Topic: {{}}'; got {one!r}.")
    if not templates:
        raise ConfigError("template must be a text with {} where the label goes, or several; got none.")
    return templates


def as_label_set(labels: Labels, templates: Sequence[str], *, what: str = "labels", least: int = 2) -> LabelSet:
    """Labels as the caller gave them, checked.

    Args:
        labels: Names, or descriptions by name.
        templates: What they are put into; the label takes the place of `{}`.
        what: Names them in errors.
        least: How many there must be.

    Raises:
        InputError: a bare string, too few, one that is no text, blank, no valid Unicode, or there twice, or described
            by something else than one text.
    """
    if isinstance(labels, str | bytes) or not isinstance(labels, Mapping | Sequence):
        hint = f": pass [{labels[:20]!r}, …]" if isinstance(labels, str) else ""
        raise InputError(f"{what} must be a list, or a mapping of names to descriptions, got {_kind(labels)}{hint}.")
    names = [as_label(name, f"{what}[{index}]", index) for index, name in enumerate(labels)]
    if len(names) < least:
        raise InputError(f"{what} must be at least {least} to choose from, got {list(names)!r}.")
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise InputError(f"{what}[{index}] {name!r} is there twice: leave one out.", index)
        seen.add(name)
    given = labels.values() if isinstance(labels, Mapping) else names
    texts = [_description(text, f"{what}[{name!r}]") for name, text in zip(names, given, strict=True)]
    filled = tuple(tuple(template.replace("{}", text) for template in templates) for text in texts)
    return LabelSet(tuple(names), filled)


def as_label(name: object, place: str, index: int | None = None) -> str:
    """A label's name without white space around it; case tells labels apart.

    Raises:
        InputError: no text, a blank one, or no valid Unicode.
    """
    if not isinstance(name, str):
        raise InputError(f"{place} must be str, got {_kind(name)}.", index)
    if not name.strip():
        raise InputError(f"{place} is empty: a label needs a name.", index)
    check_unicode(name, what=place, index=index)
    return name.strip()


def _description(given: object, place: str) -> str:
    if not isinstance(given, str):
        raise InputError(
            f"{place} must be described by one str, got {_kind(given)}: several sets of labels are for classify_groups."
        )
    return as_label(given, f"{place}: the description")


def _kind(value: object) -> str:
    return type(value).__name__


class LabelVectors:
    """Unit vectors of sets of labels, each embedded once; those used last are kept. Thread-safe."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._kept: OrderedDict[LabelSet, tuple[FloatArray, Usage]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, labels: LabelSet) -> tuple[FloatArray, Usage, Usage]:
        """Their vectors, shape [labels, dimensions], what that cost this time, and what it cost the first time.

        Raises:
            InputError: a label that the embedder refuses.
        """
        with self._lock:
            if labels in self._kept:
                self._kept.move_to_end(labels)
                vectors, usage = self._kept[labels]
                return vectors, Usage(), usage
        vectors, usage = self._embed(labels)
        with self._lock:
            self._kept[labels] = vectors, usage
            while len(self._kept) > _MOST_SETS:
                self._kept.popitem(last=False)
        return vectors, usage, usage

    def clear(self) -> None:
        """Give their memory back."""
        with self._lock:
            self._kept.clear()

    def _embed(self, labels: LabelSet) -> tuple[FloatArray, Usage]:
        owners = [number for number, texts in enumerate(labels.texts) for _ in texts]
        try:
            embedded = self._space.embed([text for texts in labels.texts for text in texts])
        except InputError as error:
            if error.index is None:
                raise
            name = labels.names[owners[error.index]]
            reason = error.message.removeprefix(f"inputs[{error.index}]")
            raise type(error)(f"labels[{shorten(name)!r}]{reason}", owners[error.index]) from error
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        return normalize(np.add.reduceat(embedded.vectors, starts, axis=0)), embedded.usage


class Scale(NamedTuple):
    """How cosines become probabilities.

    Attributes:
        sharpness: What they are multiplied by.
        offsets: What is taken from the cosines of each label first, shape [labels], and
        against: from the log odds of each; both for independent labels alone.
    """

    sharpness: float
    offsets: FloatArray | None = None
    against: float = 0.0

    def probabilities(self, cosines: FloatArray) -> NDArray[np.float64]:
        """Of each label, shape unchanged; rows sum to 1 unless labels are independent."""
        if self.offsets is None:
            return softmax(cosines * np.float64(self.sharpness))
        odds = (cosines - self.offsets) * np.float64(self.sharpness) - self.against
        return 1 / (1 + np.exp(-np.clip(odds, -500, 500)))


def scale_of(space: Space, labels: FloatArray, *, temperature: float | None, multi_label: bool) -> tuple[Scale, Usage]:
    """How the cosines with labels become probabilities, and what finding out cost.

    Independent labels: the log odds are linear in how much nearer the input lies than unrelated texts do on average,
    less the logarithm of the number of labels: with nothing known of an input, about one of them is expected to hold.
    So a label's probability depends on no other label, but on their number.

    Args:
        space: The embedder's.
        labels: Unit vectors, shape [labels, dimensions].
        temperature: The caller's; None for one that fits the embedder.
        multi_label: Whether labels are independent.
    """
    if temperature is not None and not multi_label:
        return Scale(1 / temperature), Usage()
    neutral, usage = space.neutral()
    if not multi_label:
        return Scale(_EXCLUSIVE / neutral.spread), usage
    sharpness = _INDEPENDENT / neutral.spread if temperature is None else 1 / temperature
    return Scale(sharpness, (neutral.vectors @ labels.T).mean(axis=0), _AGAINST + float(np.log(len(labels)))), usage


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
