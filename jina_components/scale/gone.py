"""Which sources of a store are no documents any more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

from jina_components.errors import ExtractionError, ReadError
from jina_components.protocols import Store
from jina_components.types import SourceFailure


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
    held = {source for document in store.scan() if isinstance(source := document.metadata.get("source"), str)}
    return {
        source
        for source in held
        if _is_within(source, named) and not _is_within(source, unread) and (source in emptied or _is_missing(source))
    }


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
