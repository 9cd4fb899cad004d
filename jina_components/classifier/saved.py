"""What lies in a classifier's directory.

DIR/manifest.json            says which versions there are and which one counts; put in place in one step
DIR/version-<n>.safetensors  what was learned up to that version; the last few are kept
DIR/.lock                    held by the process that trains

A version's file is on the disk before the manifest names it, so a kill leaves the state before or the one after.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from jina_components.classifier.online import OnlineLearner
from jina_components.core.durable import is_unfinished, remove, write_file, write_folder
from jina_components.core.probe import agree
from jina_components.errors import (
    BusyError,
    IndexMismatchError,
    InputError,
    JinaComponentsError,
    ModelFilesError,
    UnknownNameError,
)
from jina_components.types.classified import ClassifierVersion

if TYPE_CHECKING:
    from jina_components.classifier.space import Space

FORMAT = "jina_components.classifier"
FORMAT_VERSION = 1
KEPT = 5
"""Versions that are kept, the one that counts among them."""

_MANIFEST = "manifest.json"
_LOCK = ".lock"
_VERSION_FILE = re.compile(r"version-[0-9]{1,18}\.safetensors")
_REMEDY = "restore it from a copy, or train a new one in another directory"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a directory says of itself.

    Attributes:
        current: Number of the version that counts.
        latest: The highest number that any version had.
        versions: Those kept, ascending.
        digests: BLAKE2b of each one's file, in their order.
        embedder: Name of the embedder whose vectors it learned from.
        probe: Where that embedder places the probe, shape [dimensions].
    """

    current: int
    latest: int
    versions: tuple[ClassifierVersion, ...]
    digests: tuple[str, ...]
    embedder: str
    probe: tuple[float, ...]


class SavedClassifier:
    """A trained classifier's directory, which need not be there yet. Knows nothing of its content but by reading it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def stamp(self) -> tuple[int, ...] | None:
        """What differs once the content has changed; None while nothing is there."""
        try:
            found = (self.directory / _MANIFEST).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error) from error
        return found.st_mtime_ns, found.st_ino, found.st_size

    def read(self) -> Manifest:
        """The manifest.

        Raises:
            ModelFilesError: it is not there, damaged, or of another format.
        """
        path = self.directory / _MANIFEST
        try:
            content = json.loads(path.read_bytes())
        except OSError as error:
            raise self._unreadable(error) from error
        except ValueError as error:
            raise self._damaged(f"{_MANIFEST} is no JSON") from error
        self._check_format(content)
        try:
            manifest = _parsed(content)
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"{_MANIFEST} is not as it was written") from error
        if content["digest"] != _digest(_rendered(manifest)):
            raise self._damaged(f"{_MANIFEST} is not as it was written")
        return manifest

    def load(self, number: int | None = None) -> tuple[Manifest, ClassifierVersion, OnlineLearner]:
        """A version, or the one that counts, with the manifest that names it.

        Raises:
            UnknownNameError: that version is not kept.
            ModelFilesError: files are missing, damaged, or of another format.
        """
        while True:
            manifest = self.read()
            place = _place(manifest, manifest.current if number is None else number, self.directory)
            path = self._file(manifest.versions[place].number)
            try:
                data = path.read_bytes()
            except FileNotFoundError as error:
                if self.read() == manifest:  # else it was superseded while we read
                    raise self._damaged(f"{path.name} is gone") from error
            except OSError as error:
                raise self._unreadable(error) from error
            else:
                return manifest, manifest.versions[place], self._learner(manifest, place, data)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the directory and hold it alone.

        Raises:
            BusyError: it is being trained by another thread or process.
            ModelFilesError: something else lies there, or it cannot be written.
        """
        with self._written():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._check_ours()
            try:
                # Not of a thread: it may be released by another than the one that took it.
                lock = FileLock(self.directory / _LOCK, thread_local=False).acquire(timeout=0)
            except Timeout:
                raise BusyError(f"{self.directory} is being trained by another caller: try again later.") from None
        with lock:
            yield

    def add(self, learner: OnlineLearner, space: Space, before: Manifest | None) -> Manifest:
        """Make a learner the version that counts; on the disk when this returns. Only under the lock.

        Versions beyond those kept, and what kills left, are removed.

        Args:
            learner: What was learned.
            space: Of the embedder that it was learned with.
            before: The manifest until now, if there is one.

        Raises:
            ModelFilesError: it cannot be written; the state before stands.
        """
        with self._written():
            manifest = _write_version(self.directory, learner, space, before)
            self._put(manifest)
            self._tidy(manifest)
        return manifest

    def point(self, manifest: Manifest, number: int) -> Manifest:
        """Make a version that is kept the one that counts. Only under the lock.

        Raises:
            UnknownNameError: it is not kept.
            ModelFilesError: it is damaged, or the manifest cannot be written.
        """
        self.load(number)
        changed = replace(manifest, current=number)
        with self._written():
            self._put(changed)
        return changed

    def check_embedder(self, manifest: Manifest, space: Space) -> None:
        """Refuse an embedder other than the one that it was trained with.

        Raises:
            IndexMismatchError: it places the probe elsewhere.
        """
        own = space.probe()
        if not agree(np.array(manifest.probe, np.float32), own):
            raise IndexMismatchError(
                f"{self.directory} was trained with the embedder {manifest.embedder!r} ({len(manifest.probe)} "
                f"dimensions); {space!r} ({len(own)} dimensions) has another vector space. Open it with the one it "
                "was trained with, or train a new one."
            )

    def _learner(self, manifest: Manifest, place: int, data: bytes) -> OnlineLearner:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        version = manifest.versions[place]
        name = self._file(version.number).name
        others = [kept.number for kept in manifest.versions if kept.number < version.number]
        hint = f", or rollback({others[-1]}) to the version before" if others else ""
        if _digest(data) != manifest.digests[place]:
            raise self._damaged(f"{name} is not as it was written", hint)
        try:
            return OnlineLearner.from_arrays(load(data), version.labels)
        except (SafetensorError, InputError, KeyError, ValueError) as error:
            raise self._damaged(f"{name} cannot be read: {error}", hint) from error

    def _file(self, number: int) -> Path:
        return self.directory / _version_name(number)

    def _put(self, manifest: Manifest) -> None:
        write_file(self.directory / _MANIFEST, lambda file: file.write(_with_digest(manifest)))

    def _tidy(self, manifest: Manifest) -> None:
        """Remove versions that are no longer kept, and what kills left."""
        kept = {_version_name(version.number) for version in manifest.versions}
        for path in self.directory.iterdir():
            if (_VERSION_FILE.fullmatch(path.name) and path.name not in kept) or is_unfinished(path.name):
                remove(path)

    def _check_ours(self) -> None:
        names = {path.name for path in self.directory.iterdir()}
        strangers = sorted(n for n in names if n != _LOCK and not _VERSION_FILE.fullmatch(n) and not is_unfinished(n))
        if _MANIFEST not in names and strangers:
            raise ModelFilesError(
                f"{self.directory} holds {strangers[0]!r} and no {_MANIFEST}, so it is no classifier: "
                "choose a new or empty directory."
            )

    def _check_format(self, content: Any) -> None:  # noqa: ANN401 (read from a file)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ModelFilesError(f"{self.directory / _MANIFEST} is no manifest of a classifier of this library.")
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            newer = isinstance(version, int) and version > FORMAT_VERSION
            raise ModelFilesError(
                f"{self.directory} is a classifier of format version {version}, this release reads {FORMAT_VERSION}: "
                f"{'upgrade jina-components' if newer else 'train it again'}."
            )

    def _damaged(self, what: str, hint: str = "") -> ModelFilesError:
        return ModelFilesError(f"{self.directory} is damaged: {what}. You can {_REMEDY}{hint}.")

    def _unreadable(self, error: OSError) -> ModelFilesError:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return ModelFilesError(f"{self.directory} holds no classifier: {_MANIFEST} is not there.")
        return ModelFilesError(f"{self.directory} cannot be read: {error.strerror or error}.")

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except JinaComponentsError:  # some are OSErrors
            raise
        except FileExistsError as error:
            raise ModelFilesError(f"{self.directory} cannot be written: it is a file, not a directory.") from error
        except OSError as error:
            raise ModelFilesError(
                f"{self.directory} cannot be written: {error.strerror or error}.{self._saved_before()}"
            ) from error

    def _saved_before(self) -> str:
        is_there = os.path.exists(self.directory / _MANIFEST)  # noqa: PTH110 (of Path, one that nobody may see raises)
        return " What was saved before is whole." if is_there else ""


def save_new(directory: Path, learner: OnlineLearner, space: Space) -> None:
    """Write a new directory with this one version, all of it or nothing.

    Raises:
        ModelFilesError: there is something already, or it cannot be written.
    """

    def write(folder: Path) -> None:
        manifest = _write_version(folder, learner, space, None)
        (folder / _MANIFEST).write_bytes(_with_digest(manifest))

    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise ModelFilesError(f"{directory} is there already: choose a new directory, or delete it.")
        write_folder(directory, write)
    except JinaComponentsError:  # some are OSErrors
        raise
    except OSError as error:
        raise ModelFilesError(f"{directory} cannot be written: {error.strerror or error}.") from error


def _write_version(folder: Path, learner: OnlineLearner, space: Space, before: Manifest | None) -> Manifest:
    """Write a learner's file; the manifest that names it."""
    from safetensors.numpy import save

    number = 1 if before is None else before.latest + 1
    data = save({name: np.ascontiguousarray(array) for name, array in learner.arrays().items()})
    write_file(folder / _version_name(number), lambda file: file.write(data))
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    made = ClassifierVersion(number, now, learner.labels, learner.num_examples)
    if before is None:
        probe = tuple(round(float(value), 6) for value in space.probe())
        return Manifest(number, number, (made,), (_digest(data),), space.name, probe)
    versions, digests = (*before.versions, made)[-KEPT:], (*before.digests, _digest(data))[-KEPT:]
    return replace(before, current=number, latest=number, versions=versions, digests=digests)


def _place(manifest: Manifest, number: int, directory: Path) -> int:
    numbers = [version.number for version in manifest.versions]
    if number not in numbers:
        known = ", ".join(map(str, numbers))
        raise UnknownNameError(f"{directory} keeps no version {number!r}. Kept: {known}.")
    return numbers.index(number)


def _version_name(number: int) -> str:
    return f"version-{number}.safetensors"


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _rendered(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest)).encode()


def _with_digest(manifest: Manifest) -> bytes:
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "digest": _digest(_rendered(manifest))}
    return json.dumps(head | asdict(manifest), indent=1).encode()


def _parsed(content: dict[str, Any]) -> Manifest:
    versions = tuple(
        ClassifierVersion(
            int(row["number"]), str(row["created_at"]), tuple(map(str, row["labels"])), int(row["num_examples"])
        )
        for row in content["versions"]
    )
    return Manifest(
        int(content["current"]),
        int(content["latest"]),
        versions,
        tuple(map(str, content["digests"])),
        str(content["embedder"]),
        tuple(map(float, content["probe"])),
    )
