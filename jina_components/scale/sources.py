"""The sources that a store has chunks of: which are no documents any more, and removing some."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

from jina_components.errors import ExtractionError, InputError, ReadError
from jina_components.filters import Condition
from jina_components.protocols import Store
from jina_components.retriever.stores.common import LOSSES_NOTE
from jina_components.types import SourceFailure

_PART = 1 << 16  # bytes read at a time


def gone_sources(store: Store, places: Sequence[str | os.PathLike[str]], failures: Sequence[SourceFailure]) -> set[str]:
    """Files that a store has chunks of and that are gone, or hold no document any more.

    One that could not be looked at this time (no permission, too large) is not gone, nor is one in a folder of which
    that is true, or in which nothing was found.

    Args:
        store: Its chunks name their file as `source`.
        places: Files and folders, absolute: what is in none of them is none of the answer. URLs are passed over.
        failures: What could not be read.
    """
    named = _paths(places)
    unread = _paths(
        failure.source
        for failure in failures
        if isinstance(failure.error, ReadError) and not _is_missing(failure.source)
    )
    emptied = {failure.source for failure in failures if isinstance(failure.error, ExtractionError)}
    return {
        source
        for source in _held(store)
        if _is_within(source, named) and not _is_within(source, unread) and (source in emptied or _is_missing(source))
    }


def remove_sources(sources: Iterable[str | os.PathLike[str]], store: Store) -> dict[str, int]:
    """Delete what a store holds of sources, which need not exist any more.

    A checkpoint of `index_sources` notices: its next run reads all that it is given, and embeds what is not there.

    Args:
        sources: Files, folders (all that was in them) and URLs, as they were named to `index_sources`.
        store: Its chunks name their source as `source`.

    Returns:
        How many sources were removed for each of those named, 0 where the store holds none.

    Raises:
        InputError: a source that is neither str nor a path.
        IndexFilesError: the store cannot be written to.
    """
    held = _held(store)
    found = {name: _named(name, held) for name in map(_checked, sources)}
    gone = sorted({name for names in found.values() for name in names})
    if gone:
        store.set_note(LOSSES_NOTE, uuid.uuid4().hex)
        store.delete(filter=of_sources(gone))
    return {source: len(names) for source, names in found.items()}


def _checked(source: str | os.PathLike[str]) -> str:
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"A source is a str or a path, got {type(source).__name__}.")
    return os.fsdecode(source)


def _named(source: str, held: Set[str]) -> set[str]:
    """Those of the sources held that a name means: as it stands in their chunks, or as it was given."""
    places = {source, os.fsdecode(absolute(source))}
    return {name for name in held if name in places or _is_within(name, places)}


def _held(store: Store) -> set[str]:
    """The sources that a store has chunks of."""
    return {source for document in store.scan() if isinstance(source := document.metadata.get("source"), str)}


def absolute(source: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """A source by the name that means the same everywhere."""
    if not isinstance(source, str | os.PathLike) or "://" in (name := os.fsdecode(source)):
        return source
    return str(Path(name).resolve())


def of_sources(names: Iterable[str]) -> Condition:
    """The filter of what comes from these sources."""
    return Condition(("source",), "in", tuple(names))


def is_blank(source: str) -> bool:
    """Whether a file is there and holds no character but white space."""
    try:
        with Path(source).open("rb") as file:
            return not any(part.strip() for part in iter(lambda: file.read(_PART), b""))
    except (OSError, ValueError):  # a URL, or what is gone by now
        return False


def _paths(places: Iterable[str | os.PathLike[str]]) -> set[str]:
    return {name for name in map(os.fsdecode, places) if "://" not in name}


def _is_within(source: str, places: Set[str]) -> bool:
    """Whether a source is one of the places, or is below one."""
    return "://" not in source and not places.isdisjoint([source, *map(str, Path(source).parents)])


def _is_missing(path: str) -> bool:
    """Whether there is surely nothing; not where it cannot be told."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
