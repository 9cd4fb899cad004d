"""ClassifierRegistry: trained classifiers of many users, as a service keeps them.

FOLDER/registry.sqlite3   whose they are, and how often they were trained and used
FOLDER/<id>/              each one's directory
"""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from jina_components.classifier.classifier import Classifier
from jina_components.classifier.entries import Entries, RegisteredClassifier, now
from jina_components.classifier.saved import SavedClassifier
from jina_components.core.component import Component
from jina_components.core.durable import remove
from jina_components.core.inputs import check_unicode
from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, InputError, UnknownNameError
from jina_components.protocols import SupportsEmbed
from jina_components.types import Classifications, Image
from jina_components.types.classified import Examples, Training

Access: TypeAlias = Literal["private", "public"]
"""Who may classify with it: its owner, or everybody. Training, deleting and listing are the owner's."""

_MOST_OPEN = 64


class ClassifierRegistry(Component):
    """Keeps few-shot classifiers of many users in a folder, on a local disk.

    Threads and processes may share it. A private classifier of another user is as unknown as one that is not there.

    Args:
        folder: Made when first used.
        embedders: Embedders by the name of their model, or what gives one for a name and raises UnknownNameError for
            others. They stay open. What a classifier has learned is read again when another one is given for its name.

    Raises:
        ModelFilesError: later, from every method: the folder's files are damaged, something else's, or the disk failed.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        embedders: Mapping[str, SupportsEmbed] | Callable[[str], SupportsEmbed],
    ) -> None:
        if not isinstance(embedders, Mapping) and not callable(embedders):
            raise ConfigError(f"embedders must be a mapping of names to embedders, or a function; got {embedders!r}.")
        self._folder = Path(folder)
        self._embedders = embedders
        self._open: OrderedDict[str, tuple[SupportsEmbed, Classifier]] = OrderedDict()
        self._entries = Entries(self._folder)
        self._lock = threading.Lock()

    def create(
        self, model: str, *, owner: str, access: Access = "private", use_label_names: bool = True
    ) -> RegisteredClassifier:
        """Make a classifier that has learned nothing yet.

        Args:
            model: Name of the embedder that it will learn with.
            owner: Whose it is.
            access: Whether others may classify with it: `public`, or `private`.
            use_label_names: Whether it learns from the names of labels too; off where they are codes.

        Raises:
            UnknownNameError: there is no such model.
            InputError: no owner.
            ConfigError: another access.
        """
        made = self._new(model, owner, access, use_label_names=use_label_names)
        self._embedder(model)
        return self._added(made)

    async def acreate(
        self, model: str, *, owner: str, access: Access = "private", use_label_names: bool = True
    ) -> RegisteredClassifier:
        """`create` without blocking the event loop."""
        return await asyncio.to_thread(self.create, model, owner=owner, access=access, use_label_names=use_label_names)

    def create_trained(
        self,
        model: str,
        examples: Examples,
        *,
        owner: str,
        access: Access = "private",
        use_label_names: bool = True,
        num_iters: int = 10,
    ) -> tuple[RegisteredClassifier, Training]:
        """Make a classifier that has learned from examples; if that fails, or the process is killed, there is none.

        Arguments and errors are those of `create` and of `Classifier.train`.
        """
        made = self._new(model, owner, access, use_label_names=use_label_names)
        try:
            training = self._classifier(made).train(examples, num_iters=num_iters)
        except BaseException:
            self._forget(made.id)
            raise
        return self._added(_trained(made, training)), training

    async def acreate_trained(
        self,
        model: str,
        examples: Examples,
        *,
        owner: str,
        access: Access = "private",
        use_label_names: bool = True,
        num_iters: int = 10,
    ) -> tuple[RegisteredClassifier, Training]:
        """`create_trained` without blocking the event loop; once cancelled, there is none."""
        made = self._new(model, owner, access, use_label_names=use_label_names)
        try:
            classifier = await asyncio.to_thread(self._classifier, made)
            training = await classifier.atrain(examples, num_iters=num_iters)
        except BaseException:
            await asyncio.to_thread(self._forget, made.id)
            raise
        return await asyncio.to_thread(self._added, _trained(made, training)), training

    def get(self, id: str, *, user: str) -> RegisteredClassifier:
        """A classifier that a user may classify with.

        Raises:
            UnknownNameError: there is none of this id, or it is private and another user's.
        """
        row = self._entries.find(id) if _is_id(id) else None
        if row is None or (row.access != "public" and row.owner != user):
            raise _unknown(id)
        return row

    async def aget(self, id: str, *, user: str) -> RegisteredClassifier:
        """`get` without blocking the event loop."""
        return await asyncio.to_thread(self.get, id, user=user)

    def list(self, owner: str) -> tuple[RegisteredClassifier, ...]:
        """A user's own classifiers, in the order that they were made."""
        _check_owner(owner)
        return self._entries.of(owner)

    async def alist(self, owner: str) -> tuple[RegisteredClassifier, ...]:
        """`list` without blocking the event loop."""
        return await asyncio.to_thread(self.list, owner)

    def train(self, id: str, examples: Examples, *, user: str, num_iters: int = 10) -> Training:
        """Train a user's own classifier; as `Classifier.train`.

        Raises:
            UnknownNameError: there is none of this id, or it is another user's.
            BusyError: it is being trained already.
            InputError, IndexMismatchError, BackendError: as `Classifier.train`.
        """
        training = self._of_owner(id, user).train(examples, num_iters=num_iters)
        self._note_training(id, training)
        return training

    async def atrain(self, id: str, examples: Examples, *, user: str, num_iters: int = 10) -> Training:
        """`train` without blocking the event loop; once cancelled, all of it happens or nothing."""
        classifier = await asyncio.to_thread(self._of_owner, id, user)
        training = await classifier.atrain(examples, num_iters=num_iters)
        await asyncio.to_thread(self._note_training, id, training)
        return training

    def classify(self, id: str, inputs: Sequence[str | Image], *, user: str) -> Classifications:
        """Classify with a classifier of the user's own, or a public one; as `Classifier.classify`.

        Raises:
            UnknownNameError: there is none of this id, or it is private and another user's.
            ConfigError: it has learned fewer than two labels.
            InputError, IndexMismatchError, BackendError: as `Classifier.classify`.
        """
        row, classifier = self._of_user(id, user)
        results = classifier.classify(inputs)
        self._note_use(row, classifier)
        return results

    async def aclassify(self, id: str, inputs: Sequence[str | Image], *, user: str) -> Classifications:
        """`classify` without blocking the event loop."""
        row, classifier = await asyncio.to_thread(self._of_user, id, user)
        results = await classifier.aclassify(inputs)
        await asyncio.to_thread(self._note_use, row, classifier)
        return results

    def delete(self, id: str, *, owner: str) -> None:
        """Delete a user's own classifier.

        Raises:
            UnknownNameError: there is none of this id, or it is another user's.
            BusyError: it is being trained.
        """
        directory = self._folder / self._owned(id, owner).id
        with SavedClassifier(directory).locked():
            self._entries.delete(id)
        self._entries.end_deletions()
        with self._lock:
            self._open.pop(id, None)

    async def adelete(self, id: str, *, owner: str) -> None:
        """`delete` without blocking the event loop."""
        await asyncio.to_thread(self.delete, id, owner=owner)

    def close(self) -> None:
        """Give memory back; the next call reads again."""
        with self._lock:
            self._open.clear()

    def __repr__(self) -> str:
        return f"ClassifierRegistry({str(self._folder)!r})"

    def _new(self, model: str, owner: str, access: str, *, use_label_names: bool) -> RegisteredClassifier:
        """One that nobody knows of yet."""
        if access not in ("private", "public"):
            raise ConfigError(f"access must be 'private' or 'public', got {access!r}.")
        _check_owner(owner)
        at = now()
        return RegisteredClassifier(str(uuid.uuid4()), owner, model, access, use_label_names, (), 0, 0, at, at, None)

    def _added(self, made: RegisteredClassifier) -> RegisteredClassifier:
        self._entries.add(made)
        return made

    def _forget(self, id: str) -> None:
        """What was made for a classifier that nobody knows of."""
        with self._lock:
            self._open.pop(id, None)
        remove(self._folder / id)

    def _owned(self, id: str, user: str) -> RegisteredClassifier:
        row = self._entries.find(id) if _is_id(id) else None
        if row is None or row.owner != user:
            raise _unknown(id)
        return row

    def _embedder(self, model: str) -> SupportsEmbed:
        if isinstance(self._embedders, Mapping):
            return resolve_name(self._embedders, model, what="model")
        return self._embedders(model)

    def _of_owner(self, id: str, user: str) -> Classifier:
        return self._classifier(self._owned(id, user))

    def _of_user(self, id: str, user: str) -> tuple[RegisteredClassifier, Classifier]:
        row = self.get(id, user=user)
        return row, self._classifier(row)

    def _classifier(self, row: RegisteredClassifier) -> Classifier:
        embedder = self._embedder(row.model)
        with self._lock:
            found = self._open.get(row.id)
            if found is None or found[0] is not embedder:
                made = Classifier(embedder, path=self._folder / row.id, use_label_names=row.use_label_names)
                found = self._open[row.id] = embedder, made
            self._open.move_to_end(row.id)
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
            return found[1]

    def _note_training(self, id: str, training: Training) -> None:
        if not self._entries.note_training(id, training.labels, training.version):
            remove(self._folder / id)  # it was deleted before the training began
            raise _unknown(id)

    def _note_use(self, row: RegisteredClassifier, classifier: Classifier) -> None:
        if self._entries.note_use(row.id) and (number := classifier.version) > row.updated_number:
            self._entries.note_training(row.id, classifier.labels, number)  # a process was killed before it said so


def _trained(made: RegisteredClassifier, training: Training) -> RegisteredClassifier:
    return replace(made, labels=training.labels, updated_number=training.version, updated_at=now())


def _unknown(id: str) -> UnknownNameError:
    return UnknownNameError(f"Unknown classifier {id!r}: there is none, or it is another user's.")


def _check_owner(owner: str) -> None:
    if not isinstance(owner, str) or not owner:
        raise InputError(f"owner must name a user, got {owner!r}.")
    check_unicode(owner, what="owner")


def _is_id(name: object) -> bool:
    try:
        return isinstance(name, str) and str(uuid.UUID(name)) == name
    except ValueError:
        return False
