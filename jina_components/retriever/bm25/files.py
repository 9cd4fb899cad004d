"""A BM25 index as files: arrays that can be mapped, the vocabulary as text, and what reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from jina_components.core.arrays import save_array
from jina_components.errors import IndexFilesError
from jina_components.retriever.bm25.analysis import Analyzer
from jina_components.retriever.bm25.segment import Segment

FORMAT = "jina_components.bm25"
# To be raised with every change of the files or of what `Analyzer` makes of a text.
VERSION = 1
_SETTINGS, _VOCABULARY = "index.json", "vocabulary.txt"
_ARRAYS = tuple(field.name for field in fields(Segment) if field.name != "first")


def save(
    folder: Path, analyzer: Analyzer, parameters: Mapping[str, float], names: Sequence[str], segments: Sequence[Segment]
) -> None:
    """Write an index into a folder, which is made; not atomic, not synced.

    Args:
        folder: Where.
        analyzer: What made the terms.
        parameters: `k1` and `b`.
        names: Terms by number.
        segments: Postings.

    Raises:
        IndexFilesError: the folder cannot be written to.
    """
    settings = {
        "format": FORMAT,
        "version": VERSION,
        "analyzer": asdict(analyzer),
        **parameters,
        "segments": [segment.first for segment in segments],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, segment in enumerate(segments):
            for name in _ARRAYS:
                save_array(folder / f"{number}.{name}.npy", getattr(segment, name))
        # No term holds white space.
        (folder / _VOCABULARY).write_bytes("\n".join(names).encode("utf-8"))
        (folder / _SETTINGS).write_text(json.dumps(settings), "utf-8")
    except OSError as error:
        raise IndexFilesError(f"The lexical index cannot be written to {folder}: {error}.") from error


def load(folder: Path, *, mapped: bool) -> tuple[dict[str, Any], list[str], list[Segment]]:
    """Settings, terms by number and segments.

    Raises:
        IndexFilesError: a file is missing, of another version, or the files do not fit together.
    """
    try:
        settings = json.loads((folder / _SETTINGS).read_text("utf-8"))
        if (settings["format"], settings["version"]) != (FORMAT, VERSION):
            raise IndexFilesError(
                f"{folder} holds no lexical index of version {VERSION}: rebuild it from the documents."
            )
        settings["analyzer"] = Analyzer(stemming=settings["analyzer"]["stemming"])
        settings |= {name: float(settings[name]) for name in ("k1", "b")}
        text = (folder / _VOCABULARY).read_bytes().decode("utf-8")
        names = text.split("\n") if text else []
        segments = [
            Segment(first, *(_array(folder / f"{number}.{name}.npy", mapped=mapped) for name in _ARRAYS))
            for number, first in enumerate(settings["segments"])
        ]
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        if isinstance(error, IndexFilesError):
            raise
        raise IndexFilesError(f"The lexical index in {folder} cannot be read: {error}.") from error
    if not all(_fits(segment, len(names)) for segment in segments):
        raise IndexFilesError(f"The files of the lexical index in {folder} do not belong together.")
    return settings, names, segments


def _array(path: Path, *, mapped: bool) -> Any:  # noqa: ANN401 - of any dtype
    found = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    if found.ndim != 1:
        raise ValueError(f"{path.name} holds no flat array")
    return found.view(np.ndarray)  # since memmap's own slices are slow


def _fits(segment: Segment, num_terms: int) -> bool:
    """Whether the arrays agree, as far as can be told without reading the postings."""
    return (
        len(segment.lengths) == len(segment.held)
        and len(segment.slots) == len(segment.counts)
        and len(segment.starts) == len(segment.terms) + 1
        and segment.starts[0] == 0
        and segment.starts[-1] == len(segment.slots)
        and bool((np.diff(segment.starts) > 0).all())
        and bool((segment.terms < num_terms).all())
    )
