"""ClassifierRegistry: trained classifiers of many users, as a service keeps them.

FOLDER/registry.sqlite3   whose they are, and how often they were trained and used
FOLDER/<id>/              each one's directory
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from jina_components.classifier.classifier import Classifier
from jina_components.classifier.saved import SavedClassifier
from jina_components.core.component import Component
from jina_components.core.durable import remove
from jina_components.core.inputs import check_unicode
from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, InputError, JinaComponentsError, ModelFilesError, UnknownNameError
from jina_components.protocols import SupportsEmbed
from jina_components.types import Classifications, Image
from jina_components.types.classified import Examples, Training

Access: TypeAlias = Literal["private", "public"]
"""Who may classify with it: its owner, or everybody. Training, deleting and listing are the owner's."""

_DATABASE = "registry.sqlite3"
_FORMAT_VERSION = 1
_WAIT_SECONDS = 30.0
_MOST_OPEN = 64
_SCHEMA = """
CREATE TABLE IF NOT EXISTS classifiers (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    model TEXT NOT NULL,
    access TEXT NOT NULL,
    use_label_names INTEGER NOT NULL,
    labels TEXT NOT NULL DEFAULT '[]',
    updated_number INTEGER NOT NULL DEFAULT 0,
    used_number INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    used_at TEXT
);
CREATE INDEX IF NOT EXISTS by_owner ON classifiers (owner);
CREATE TABLE IF NOT EXISTS deleted (id TEXT PRIMARY KEY);
"""
_COLUMNS = (
    "id, owner, model, access, use_label_names, labels, updated_number, used_number, created_at, updated_at, used_at"
)


@dataclass(frozen=True, slots=True)
class RegisteredClassifier:
    """A classifier of a registry. Times are UTC in ISO 8601.

    Attributes:
        id: UUID.
        owner: Who made it.
        model: Name of the embedder that it learns with.
        access: Who may classify with it.
        use_label_names: Whether it learns from the names of labels too, as a `Classifier` so made.
        labels: Those learned.
        updated_number: How often it was trained.
        used_number: How often it was asked to classify.
        created_at: When it was made.
        updated_at: When it was trained last, or made.
        used_at: When it was last asked to classify; None before.
    """

    id: str
    owner: str
    model: str
    access: str
    use_label_names: bool
    labels: tuple[str, ...]
    updated_number: int
    used_number: int
    created_at: str
    updated_at: str
    used_at: str | None


class ClassifierRegistry(Component):
    """Keeps few-shot classifiers of many users in a folder, on a local disk.

    Threads and processes may share it. A private classifier of another user is as unknown as one that is not there.

    Args:
        folder: Made when first used.
        embedders: Embedders by the name of their model, or what gives one for a name and raises UnknownNameError for
            others. They stay open.

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
        self._open: OrderedDict[str, Classifier] = OrderedDict()
        self._lock = threading.Lock()
        self._is_ready = False

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
        if access not in ("private", "public"):
            raise ConfigError(f"access must be 'private' or 'public', got {access!r}.")
        _check_owner(owner)
        self._embedder(model)
        made, now = str(uuid.uuid4()), _now()
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO classifiers (id, owner, model, access, use_label_names, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (made, owner, model, access, use_label_names, now, now),
            )
        return self.get(made, user=owner)

    def get(self, id: str, *, user: str) -> RegisteredClassifier:
        """A classifier that a user may classify with.

        Raises:
            UnknownNameError: there is none of this id, or it is private and another user's.
        """
        row = self._row(id)
        if row is None or (row.access != "public" and row.owner != user):
            raise _unknown(id)
        return row

    def list(self, owner: str) -> tuple[RegisteredClassifier, ...]:
        """A user's own classifiers, in the order that they were made."""
        _check_owner(owner)
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM classifiers WHERE owner = ? ORDER BY created_at, rowid",  # noqa: S608 (constants)
                (owner,),
            ).fetchall()
        return tuple(map(_registered, rows))

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
            with self._connected() as connection:
                connection.execute("INSERT OR IGNORE INTO deleted VALUES (?)", (id,))
                connection.execute("DELETE FROM classifiers WHERE id = ?", (id,))
            remove(directory)
        with self._connected() as connection:
            self._remove_deleted(connection)
        with self._lock:
            self._open.pop(id, None)

    def close(self) -> None:
        """Give memory back; the next call reads again."""
        with self._lock:
            self._open.clear()

    def __repr__(self) -> str:
        return f"ClassifierRegistry({str(self._folder)!r})"

    def _row(self, id: str) -> RegisteredClassifier | None:
        if not _is_id(id):
            return None
        with self._connected() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM classifiers WHERE id = ?",  # noqa: S608 (constants)
                (id,),
            ).fetchone()
        return None if row is None else _registered(row)

    def _owned(self, id: str, user: str) -> RegisteredClassifier:
        row = self._row(id)
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
        with self._lock:
            found = self._open.get(row.id)
        made = found or Classifier(
            self._embedder(row.model), path=self._folder / row.id, use_label_names=row.use_label_names
        )
        with self._lock:
            found = self._open.setdefault(row.id, made)
            self._open.move_to_end(row.id)
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
            return found

    def _note_training(self, id: str, training: Training) -> None:
        with self._connected() as connection:
            self._note(connection, id, training.labels, training.version)
            is_there = connection.execute("SELECT 1 FROM classifiers WHERE id = ?", (id,)).fetchone()
        if not is_there:
            remove(self._folder / id)  # it was deleted before the training began
            raise _unknown(id)

    def _note_use(self, row: RegisteredClassifier, classifier: Classifier) -> None:
        with self._connected() as connection:
            is_there = connection.execute(
                "UPDATE classifiers SET used_number = used_number + 1, used_at = ? WHERE id = ?", (_now(), row.id)
            ).rowcount
        if is_there and (number := classifier.version) > row.updated_number:
            labels = classifier.labels
            with self._connected() as connection:  # what a process killed after training did not say
                self._note(connection, row.id, labels, number)

    def _note(self, connection: sqlite3.Connection, id: str, labels: Sequence[str], number: int) -> None:
        """Say what a classifier has learned, unless that is known."""
        connection.execute(
            "UPDATE classifiers SET labels = ?, updated_number = ?, updated_at = ? WHERE id = ? AND updated_number < ?",
            (json.dumps(labels), number, _now(), id, number),
        )

    def _remove_deleted(self, connection: sqlite3.Connection) -> None:
        """Remove directories of what was deleted; nothing else, for an old copy of the database knows not all."""
        for (name,) in connection.execute("SELECT id FROM deleted").fetchall():
            remove(self._folder / name)
            if not (self._folder / name).exists():
                connection.execute("DELETE FROM deleted WHERE id = ?", (name,))

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation, so that none is open when the process forks."""
        try:
            self._prepare()
            with closing(self._connect()) as connection, connection:
                yield connection
        except JinaComponentsError:  # some are OSErrors
            raise
        except (sqlite3.Error, OSError) as error:
            raise ModelFilesError(
                f"{self._folder / _DATABASE} cannot be used: {error}. If it is damaged, restore it from a copy."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._folder / _DATABASE, timeout=_WAIT_SECONDS)

    def _prepare(self) -> None:
        """Once: make the folder and its tables, and end deletions that were cut short."""
        with self._lock:
            if self._is_ready:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection, connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, _FORMAT_VERSION):
                    raise ModelFilesError(
                        f"{self._folder} is a registry of format version {version}, this release reads "
                        f"{_FORMAT_VERSION}: upgrade jina-components."
                    )
                connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_FORMAT_VERSION};")
                self._remove_deleted(connection)
            self._is_ready = True


def _registered(row: Sequence[Any]) -> RegisteredClassifier:
    number, owner, model, access, use_label_names, labels, *rest = row
    return RegisteredClassifier(number, owner, model, access, bool(use_label_names), tuple(json.loads(labels)), *rest)


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
