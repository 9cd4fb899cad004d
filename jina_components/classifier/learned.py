"""What a classifier has learned, and how: kept in memory, or in a directory that others may train meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from jina_components.classifier.online import OnlineLearner
from jina_components.classifier.saved import SavedClassifier, save_new
from jina_components.classifier.space import SLICE, Space
from jina_components.classifier.zero_shot import as_label
from jina_components.core.inputs import as_list
from jina_components.errors import BusyError, ConfigError, InputError
from jina_components.types import Usage, shorten
from jina_components.types.classified import ClassifierVersion, Example, Examples, Training

if TYPE_CHECKING:
    from jina_components.types import FloatArray

    Words: TypeAlias = Callable[[Sequence[str]], tuple[FloatArray, Usage]]
    """Where the words of labels lie, shape [labels, dimensions], and what that cost."""


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


class State(NamedTuple):
    """A learner and the number of its version."""

    number: int
    learner: OnlineLearner


class Learned:
    """What was learned so far. Thread-safe.

    Args:
        space: Of the embedder that is learned with.
        saved: The directory that keeps it; None for memory.
        version: Read this version of it and change nothing; None for the one that counts.
    """

    def __init__(self, space: Space, saved: SavedClassifier | None, version: int | None) -> None:
        self._space = space
        self._saved = saved
        self._version = version
        self._state: State | None = None
        self._stamp: tuple[int, ...] | None = None
        self._reading = threading.Lock()
        self._training = threading.Lock()

    @property
    def is_unsaved(self) -> bool:
        """Whether something was learned that no file keeps."""
        return self._saved is None and self._state is not None

    def state(self) -> State | None:
        """What counts now; None where nothing has been learned.

        Raises:
            ModelFilesError: the directory's files cannot be used.
            IndexMismatchError: they were made with another embedder.
            UnknownNameError: the version asked for is not kept.
        """
        if self._saved is None:
            return self._state
        with self._reading:
            stamp = self._saved.stamp
            if stamp is None:
                if self._version is not None or self._stamp is not None:
                    self._saved.read()  # says that it is not there
                return None
            if stamp != self._stamp or self._state is None:
                manifest, version, learner = self._saved.load(self._version)
                self._saved.check_embedder(manifest, self._space)  # each time: another may have taken its place
                self._state, self._stamp = State(version.number, learner), stamp
            return self._state

    def train(
        self,
        examples: Sequence[Example],
        *,
        num_iters: int,
        words: Words | None,
        advance: Callable[[int], object],
        stopped: threading.Event,
    ) -> Training:
        """Learn from examples, all of them or nothing.

        Args:
            examples: Checked, and at least one.
            num_iters: How thoroughly.
            words: Where the words of labels lie; None where they mean nothing.
            advance: Told how many more have been embedded.
            stopped: Set by who does not want it any more.

        Raises:
            BusyError: another caller is changing it.
            ConfigError: an old version was opened.
            InputError: an example or a label that the embedder refuses; `.index` names the example.
            ModelFilesError, IndexMismatchError: as `state`; or it cannot be written.
            CancelledError: it was stopped in time.
        """
        with self._alone():
            before = self.state()
            vectors, usage = self._embedded(examples, advance, stopped)
            learner = OnlineLearner(vectors.shape[1]) if before is None else before.learner
            known = set(learner.labels)
            if words is not None:
                learner, cost = _with_words(learner, examples, words)
                usage += cost
            learner = learner.with_examples(vectors, [example.label for example in examples], num_iters=num_iters)
            number = self._keep(learner, before)
        new = tuple(label for label in learner.labels if label not in known)
        return Training(len(examples), learner.labels, new, number, usage)

    def versions(self) -> tuple[ClassifierVersion, ...]:
        """Those kept in the directory, ascending."""
        saved = self._directory()
        return () if saved.stamp is None else saved.read().versions

    def rollback(self, number: int) -> None:
        """Make a kept version the one that counts.

        Raises:
            BusyError, ConfigError, ModelFilesError: as `train`.
            UnknownNameError: it is not kept.
        """
        saved = self._directory()
        if saved.stamp is None:
            saved.read()
        with self._alone():
            saved.point(saved.read(), number)

    def save(self, saved: SavedClassifier) -> None:
        """Write what counts now into a new directory.

        Raises:
            ConfigError: nothing has been learned.
            ModelFilesError: there is something already, or it cannot be written.
        """
        state = self.state()
        if state is None:
            raise ConfigError("There is nothing to save: train the classifier first.")
        save_new(saved.directory, state.learner, self._space)

    def forget(self) -> None:
        """Give memory back that the directory holds as well."""
        if self._saved is not None:
            with self._reading:
                self._state = None

    def _embedded(
        self, examples: Sequence[Example], advance: Callable[[int], object], stopped: threading.Event
    ) -> tuple[FloatArray, Usage]:
        parts: list[FloatArray] = []
        usage = Usage()
        for start in range(0, len(examples), SLICE):
            if stopped.is_set():
                raise CancelledError
            inputs = [example.input for example in examples[start : start + SLICE]]
            embedded = self._space.embed(inputs, start=start, what="examples")
            parts.append(embedded.vectors)
            usage += embedded.usage
            advance(len(inputs))
        return np.concatenate(parts), usage

    def _keep(self, learner: OnlineLearner, before: State | None) -> int:
        """Make a learner what counts; the number of its version."""
        if self._saved is None:
            self._state = State(1 if before is None else before.number + 1, learner)
            return self._state.number
        manifest = self._saved.add(learner, self._space, None if before is None else self._saved.read())
        with self._reading:
            self._state, self._stamp = State(manifest.current, learner), self._saved.stamp
        return manifest.current

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._version is not None:
            raise ConfigError(
                f"This classifier was opened at version {self._version}, to read it: open it without version= to "
                "train it, or to roll back."
            )
        if not self._training.acquire(blocking=False):
            raise BusyError("The classifier is being trained by another caller: try again later.")
        try:
            if self._saved is None:
                yield
            else:
                with self._saved.locked():
                    yield
        finally:
            self._training.release()

    def _directory(self) -> SavedClassifier:
        if self._saved is None:
            raise ConfigError("A classifier in memory keeps no versions: open it with path=.")
        return self._saved


def _with_words(learner: OnlineLearner, examples: Sequence[Example], words: Words) -> tuple[OnlineLearner, Usage]:
    """The learner, told where the words of new labels lie; a label without letters has none."""
    labels = dict.fromkeys(example.label for example in examples if any(map(str.isalpha, example.label)))
    new = [label for label in labels if label not in learner.labels]
    if not new:
        return learner, Usage()
    try:
        vectors, usage = words(new)
    except InputError as error:
        if error.index is None:
            raise
        first = next(place for place, example in enumerate(examples) if example.label == new[error.index])
        raise InputError(f"examples[{first}]: {error.message}", first) from error
    return learner.with_label_vectors(new, vectors), usage
