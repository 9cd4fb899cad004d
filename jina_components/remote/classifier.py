"""RemoteClassifier: texts and images into labels, by a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jina_components.core.background import run_sync
from jina_components.core.image_urls import image_url
from jina_components.core.inputs import as_list, check_count, check_text_item, is_finite_number
from jina_components.core.progress import progress_bar
from jina_components.errors import ConfigError, InputError
from jina_components.remote.address import Remote
from jina_components.remote.component import RemoteComponent
from jina_components.remote.fields import Fields
from jina_components.types import Classification, Classifications, Image, Usage
from jina_components.types.classified import Example, Examples, GroupedClassifications, Labels, Training

MAX_INPUTS = 512
"""Inputs of a request; more go in several."""


class RemoteClassifier(RemoteComponent):
    """Labels texts and images as a `Classifier` does, on a server: Jina's, or one of `jina-components serve`.

    Zero-shot with a `model`: `classify(inputs, labels=[…])`. Few-shot: `train(examples)` makes a classifier of that
    model on the server, whose `classifier_id` is kept here, and `classify(inputs)` gives what it has learned; `train`
    again teaches it more. With a `classifier_id` it is one that the server knows already.

    Args:
        remote: The server.
        model: The embedding model, as the server knows it.
        classifier_id: A trained classifier of the server's, in place of a model.
        public: Whether others may classify with a classifier that `train` makes.
        threshold: A label must be as probable as this, or the classifier abstains.

    Raises:
        ConfigError: neither a model nor a classifier, or a threshold that is no probability.

    Example:
        >>> classifier = RemoteClassifier(Remote(api_key="…"), model="jina-embeddings-v3")
        >>> labels = ["sports", "politics"]
        >>> classifier.classify(["The match ended in a draw."], labels)[0].label  # doctest: +SKIP
        'sports'
    """

    product = "models"

    def __init__(
        self,
        remote: Remote,
        *,
        model: str | None = None,
        classifier_id: str | None = None,
        public: bool = False,
        threshold: float = 0.0,
    ) -> None:
        super().__init__(remote)
        if not model and not classifier_id:
            raise ConfigError("Name the model that embeds what is classified, or a classifier_id.")
        if not is_finite_number(threshold) or not 0 <= threshold <= 1:
            raise ConfigError(f"threshold must be a probability within 0 and 1, got {threshold!r}.")
        self._model = model
        self._id = classifier_id
        self._access = "public" if public else "private"
        self._threshold = threshold
        # What has changed something must not be sent twice.
        self._once = replace(remote, retries=0).endpoint(self.product).client()
        self._lock = threading.Lock()
        self._labels: tuple[str, ...] | None = None if classifier_id else ()
        self._version = 0

    @property
    def classifier_id(self) -> str | None:
        """By what the server knows the trained classifier; None before `train`."""
        return self._id

    def classify(
        self, inputs: Sequence[str | Image], labels: Labels | None = None, *, show_progress: bool = False
    ) -> Classifications:
        """The label of each input.

        Args:
            inputs: Texts, and images for a model that takes them; those at http(s) URLs are fetched by the server. An
                empty list gives an empty result.
            labels: What to choose from: names that say what they mean, or by name a description that stands for it.
                None for the labels learned.
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: a bare string, a blank input, or what the server refuses (`.index` names the input).
            ConfigError: no labels and nothing trained, or labels without a model.
            UnknownNameError: the server has no such model or classifier.
            WebError: the server cannot be reached, or answers out of form.
        """
        return run_sync(self.aclassify(inputs, labels, show_progress=show_progress))

    async def aclassify(
        self, inputs: Sequence[str | Image], labels: Labels | None = None, *, show_progress: bool = False
    ) -> Classifications:
        """Like `classify`, for event loops, which it does not block."""
        names, said = ([], None) if labels is None else _said(labels, "labels")
        rows, usage = await self._classified(inputs, said, show_progress=show_progress)
        results = tuple(self._classification(row.rows("predictions"), names, row) for row in rows)
        return Classifications(results, usage, usage)

    def classify_groups(
        self, inputs: Sequence[str | Image], groups: Mapping[str, Labels], *, show_progress: bool = False
    ) -> GroupedClassifications:
        """The label of each input in each of several sets of labels, by their names. Raises as `classify`."""
        return run_sync(self.aclassify_groups(inputs, groups, show_progress=show_progress))

    async def aclassify_groups(
        self, inputs: Sequence[str | Image], groups: Mapping[str, Labels], *, show_progress: bool = False
    ) -> GroupedClassifications:
        """Like `classify_groups`, for event loops, which it does not block."""
        if not isinstance(groups, Mapping) or not groups:
            raise InputError("groups must hold labels by the name of their group, one group at least.")
        sets = {group: _said(labels, f"groups[{group!r}]") for group, labels in groups.items()}
        said = {group: labels for group, (_, labels) in sets.items()}
        rows, usage = await self._classified(inputs, said, show_progress=show_progress)
        found = {
            group: Classifications(
                tuple(self._classification(row.fields("predictions").rows(group), names, row) for row in rows),
                usage,
                usage,
            )
            for group, (names, _) in sets.items()
        }
        return GroupedClassifications(found, usage, usage)

    def train(self, examples: Examples, *, num_iters: int = 10, show_progress: bool = False) -> Training:
        """Learn labels from examples, in addition to what was learned before.

        The first call without a `classifier_id` makes the classifier. Each request has up to 512 examples, the first
        of them at least two labels; where a later one fails, what came before stays learned. None is sent twice.

        Args:
            examples: Inputs with their labels, as pairs or `Example`s. An empty list changes nothing.
            num_iters: How thoroughly the classifier is fitted.
            show_progress: Draw a bar on stderr.

        Returns:
            What has changed, as far as this object knows: of a classifier that was trained elsewhere, it does not know
            the labels; `version` counts its own requests.

        Raises:
            InputError: an example that is none or blank, or that the server refuses.
            BusyError: it is being trained by another caller.
            UnknownNameError: the server has no such model or classifier, or it is another user's.
            WebError: the server cannot be reached, or answers out of form.
        """
        return run_sync(self.atrain(examples, num_iters=num_iters, show_progress=show_progress))

    async def atrain(self, examples: Examples, *, num_iters: int = 10, show_progress: bool = False) -> Training:
        """Like `train`, for event loops, which it does not block."""
        check_count(num_iters, what="num_iters")
        checked = [_example(index, each) for index, each in enumerate(as_list(examples, what="examples"))]
        items = await asyncio.to_thread(_items, [each.input for each in checked], "examples")
        sent = [item | {"label": each.label} for item, each in zip(items, checked, strict=True)]
        tokens = learned = 0
        known = self._labels or ()
        with progress_bar("Training", unit="input", total=len(sent), show=show_progress) as bar:
            for start in range(0, len(sent), MAX_INPUTS):
                batch = sent[start : start + MAX_INPUTS]
                to = {"classifier_id": self._id} if self._id else {"model": self._model, "access": self._access}
                body = {**to, "input": batch, "num_iters": num_iters}
                answer = Fields(await self._at(start, "train", body), f"{self._api.base_url}/train")
                self._learned(answer.text("classifier_id"), answer)
                tokens += answer.fields("usage").count("total_tokens")
                learned += len(batch)
                bar.update(len(batch))
        labels = tuple(dict.fromkeys((*known, *(each.label.strip() for each in checked))))
        self._labels = labels
        return Training(learned, labels, labels[len(known) :], self._version, Usage(tokens))

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        run_sync(self.aclose())

    async def aclose(self) -> None:
        """Like `close`, for event loops."""
        await super().aclose()
        await self._once.aclose()

    def _learned(self, id: str, answer: Fields) -> None:
        if not id:
            raise answer.wrong("classifier_id", "the id of a classifier")
        with self._lock:
            self._id = id
            self._version += 1
            args, settings = self._arguments
            self._arguments = args, {**settings, "classifier_id": id}  # so that what was trained pickles

    async def _classified(
        self, inputs: Sequence[str | Image], labels: object, *, show_progress: bool
    ) -> tuple[list[Fields], Usage]:
        """What the server says of each input, and what it cost."""
        asked = self._asked(labels)
        items = await asyncio.to_thread(_items, as_list(inputs, what="inputs"), "inputs")
        rows: list[Fields] = []
        tokens = 0
        with progress_bar("Classifying", unit="input", total=len(items), show=show_progress) as bar:
            for start in range(0, len(items), MAX_INPUTS):
                batch = items[start : start + MAX_INPUTS]
                body = await self._at(start, "classify", {**asked, "input": batch}, api=self._api)
                answer = Fields(body, f"{self._api.base_url}/classify")
                rows += _in_order(answer, len(batch))
                tokens += answer.fields("usage").count("total_tokens")
                bar.update(len(batch))
        return rows, Usage(tokens)

    def _asked(self, labels: object) -> dict[str, object]:
        if labels is None:
            if not self._id:
                raise ConfigError("Nothing has been learned: pass labels, or train the classifier first.")
            return {"classifier_id": self._id}
        if not self._model:
            raise ConfigError("To choose from labels takes a model: RemoteClassifier(remote, model=…).")
        return {"model": self._model, "labels": labels}

    async def _at(self, start: int, path: str, body: Mapping[str, Any], *, api: Any = None) -> dict[str, Any]:  # noqa: ANN401
        """What the server answers to a batch that begins at `start`, which errors count from."""
        try:
            return await self._post(path, body, api=api or self._once)
        except InputError as error:
            if error.index is not None:
                error.index += start
            raise

    def _classification(self, predictions: Sequence[Fields], names: Sequence[str], row: Fields) -> Classification:
        """Of one input; `names` are those of the labels as the caller has them, empty for those learned."""
        scores = [each.number("score") for each in predictions]
        told = list(names) or [each.text("label") for each in predictions]
        if not scores or len(scores) != len(told):
            raise row.wrong("predictions", f"one for each of {len(told)} labels" if told else "one for each label")
        score = max(scores)
        label = told[scores.index(score)]
        holds = score >= self._threshold
        by_name = dict(zip(told, scores, strict=True))
        return Classification(label if holds else None, score, by_name, (label,) if holds else ())


def _said(labels: Labels, what: str) -> tuple[list[str], list[str]]:
    """Names of labels, and what says on the wire what they mean."""
    names = list(labels) if isinstance(labels, Mapping) else list(as_list(labels, what=what))
    meanings = list(labels.values()) if isinstance(labels, Mapping) else names
    for index, each in enumerate((*names, *meanings)):
        check_text_item(each, index % len(names), what=what)
    plain = [name.strip() for name in names]
    if len(names) < 2:
        raise InputError(f"{what} must be at least 2 to choose from, got {names!r}.")
    if len(set(plain)) < len(plain):
        raise InputError(f"{what} has a label twice: leave one out.")
    return plain, meanings


def _example(index: int, given: object) -> Example:
    if isinstance(given, tuple | list) and len(given) == 2:
        given = Example(*given)
    if not isinstance(given, Example):
        raise InputError(f"examples[{index}] must be a pair (input, label) or an Example, got {given!r:.100}.", index)
    check_text_item(given.label, index, what="labels of examples")
    return given


def _items(inputs: Sequence[str | Image], what: str) -> list[dict[str, str]]:
    """Inputs as the wire has them. Reads files of images."""
    return [_item(each, index, what) for index, each in enumerate(inputs)]


def _item(given: str | Image, index: int, what: str) -> dict[str, str]:
    if isinstance(given, Image):
        try:
            return {"image": image_url(given)}
        except InputError as error:
            raise InputError(f"{what}[{index}]: {error.message}", index) from error
    check_text_item(given, index, what=what, images=True)
    return {"text": given}


def _in_order(answer: Fields, count: int) -> list[Fields]:
    rows = {row.count("index") if "index" in row else place: row for place, row in enumerate(answer.rows("data"))}
    if sorted(rows) != list(range(count)):
        raise answer.wrong("data", f"one result for each of {count} inputs")
    return [rows[index] for index in range(count)]
