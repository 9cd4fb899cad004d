"""Many sources, each with its place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from jina_components.errors import InputError
from jina_components.reader.files import expand
from jina_components.types import SourceFailure

Key = tuple[int, int]
"""The place of a source among those given, and among all that these lead to."""
Named = tuple[Key, str | os.PathLike[str] | SourceFailure]


def named_sources(sources: Iterable[str | os.PathLike[str]]) -> Iterator[Named]:
    """Each source with its key; the files of a directory have its place.

    Raises:
        InputError: one is neither str nor a path; `.index` names it.
    """
    position = 0
    for index, source in enumerate(sources):
        if not isinstance(source, str | os.PathLike):
            raise InputError(f"sources[{index}] must be str or a path, got {type(source).__name__}.", index)
        for found in expand([source]):
            yield (index, position), found
            position += 1
