"""What a classifier has learned: kept in memory, or in a directory that others may train meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from jina_components.classifier.online import OnlineLearner
from jina_components.classifier.saved import SavedClassifier, save_new
from jina_components.classifier.space import Space
from jina_components.errors import BusyError, ConfigError, IndexMismatchError
from jina_components.types.classified import ClassifierVersion


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
        self._embedder_fits = False
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
                if not self._embedder_fits:
                    self._saved.check_embedder(manifest, self._space)
                    self._embedder_fits = True
                self._state, self._stamp = State(version.number, learner), stamp
            return self._state

    def change(self, learn: Callable[[OnlineLearner | None], OnlineLearner]) -> tuple[State | None, State]:
        """Replace what was learned, all of it or nothing: the states before and after.

        Raises:
            BusyError: another caller is changing it.
            ConfigError: an old version was opened.
            ModelFilesError, IndexMismatchError: as `state`; or it cannot be written.
        """
        with self._alone():
            before = self.state()
            learner = learn(None if before is None else before.learner)
            if self._saved is None:
                after = State(1 if before is None else before.number + 1, learner)
                self._state = after
            else:
                manifest = self._saved.add(learner, self._space, None if before is None else self._saved.read())
                after = State(manifest.current, learner)
                with self._reading:
                    self._state, self._stamp, self._embedder_fits = after, self._saved.stamp, True
            return before, after

    def versions(self) -> tuple[ClassifierVersion, ...]:
        """Those kept in the directory, ascending."""
        saved = self._directory()
        return () if saved.stamp is None else saved.read().versions

    def rollback(self, number: int) -> None:
        """Make a kept version the one that counts.

        Raises:
            BusyError, ConfigError, ModelFilesError: as `change`.
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

    def check_width(self, learner: OnlineLearner, width: int) -> None:
        """Refuse vectors of another width than it learned from.

        Raises:
            IndexMismatchError: they are.
        """
        if learner.dimensions != width:
            raise IndexMismatchError(
                f"The classifier was trained on vectors of {learner.dimensions} dimensions, and {self._space!r} gives "
                f"{width} now: use the embedder as it was, or train a new classifier."
            )

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
