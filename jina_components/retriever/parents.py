"""Retrieve small, return large: chunks that were found become the text they were cut from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from jina_components.core.chunks import join_chunks
from jina_components.core.inputs import check_count
from jina_components.filters import And, Field, Filter, Or, values_at
from jina_components.filters.typed import split_path
from jina_components.protocols import Store
from jina_components.retriever.candidates import Candidate
from jina_components.types import Document

_Name: TypeAlias = str | int
_Window: TypeAlias = tuple[int, int]  # the first offset in the parent's text, and the one after the last


@dataclass(frozen=True, slots=True)
class Parents:
    """What the chunks found are parts of, and how much of it to give.

    Hits of one parent become one hit: that of the best chunk, with the parent's text, put together from its chunks in
    the store by the `start` and `end` of their metadata. Its id is the parent's name; its metadata has what all of
    those chunks agree on, the place of the text as `start` and `end`, and under `chunks` the `id`, `score`, `start` and
    `end` of those that were found. A hit whose metadata lacks the field, or says not where it stands, stays as it is.

    Attributes:
        field: The metadata field that names the parent by a str or int; a path as in filters.
        max_length: Give no more than so many characters around the best chunk, of which nothing is cut; None gives all.

    Raises:
        InputError: a field that is no path, or a length that is not positive.
    """

    field: str = "source"
    max_length: int | None = None

    def __post_init__(self) -> None:
        split_path(self.field)
        if self.max_length is not None:
            check_count(self.max_length, what="Parents.max_length")


@dataclass(frozen=True, slots=True)
class Family:
    """The candidates of one parent.

    Attributes:
        name: Of the parent; None for a candidate that has none.
        children: Best first.
    """

    name: _Name | None
    children: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The child that stands for the parent."""
        return self.children[0]

    def scored(self, stage: str, score: float, rank: int) -> Family:
        """The family with a stage's word on its best child."""
        return replace(self, children=(self.best.scored(stage, score, rank), *self.children[1:]))


def families(candidates: Sequence[Candidate], parents: Parents) -> list[Family]:
    """The candidates by parent, in order of their best."""
    path = split_path(parents.field)
    found: list[tuple[_Name | None, list[Candidate]]] = []
    known: dict[_Name, list[Candidate]] = {}
    for candidate in candidates:
        name = _name(candidate.document, path)
        if name in known:
            known[name].append(candidate)
            continue
        found.append((name, [candidate]))
        if name is not None:
            known[name] = found[-1][1]
    return [Family(name, tuple(children)) for name, children in found]


def expanded(chosen: Sequence[Family], parents: Parents, store: Store) -> list[Candidate]:
    """The best child of each family with its parent's text."""
    path, field = split_path(parents.field), Field(parents.field)
    windows = {
        family.name: _window(family.best.document, parents.max_length) for family in chosen if family.name is not None
    }
    held: dict[_Name, list[Document]] = {name: [] for name in windows}
    if windows:
        for document in store.scan(
            filter=Or(tuple(_within(field == name, window) for name, window in windows.items()))
        ):
            name = _name(document, path)
            if name in held:
                held[name].append(document)
    return [
        family.best
        if family.name is None
        else _parent(family, windows[family.name], held[family.name], parents.max_length)
        for family in chosen
    ]


def _name(document: Document, path: Sequence[str]) -> _Name | None:
    """The parent's name; None for a document that has none, or that does not say where in the parent it stands."""
    values = values_at(document.metadata, path) or ()
    is_named = len(values) == 1 and isinstance(values[0], str | int) and not isinstance(values[0], bool)
    return values[0] if is_named and isinstance(document.metadata.get("start"), int) else None


def _end(document: Document) -> int:
    return int(document.metadata["start"]) + len(document.text)


def _window(best: Document, max_length: int | None) -> _Window | None:
    """The stretch of the parent's text to give; the best chunk lies in its middle."""
    if max_length is None:
        return None
    start, length = int(best.metadata["start"]), len(best.text)
    first = max(start - max(max_length - length, 0) // 2, 0)
    return first, first + max(max_length, length)


def _within(named: Filter, window: _Window | None) -> Filter:
    """Chunks of the parent that reach into the window; one without an `end` might."""
    return named if window is None else And((named, Field("start") < window[1], ~(Field("end") <= window[0])))


def _parent(family: Family, window: _Window | None, held: Iterable[Document], max_length: int | None) -> Candidate:
    first, last = window or (0, None)
    chunks = [chunk for chunk in held if _end(chunk) > first]
    if not chunks:  # deleted since
        return family.best
    first = max(first, min(int(chunk.metadata["start"]) for chunk in chunks))
    text = join_chunks(chunks, start=first)[: None if last is None else last - first]
    metadata = {
        **_agreed(chunks),
        "start": first,
        "end": first + len(text),
        "chunks": [_matched(child) for child in family.children],
    }
    suffix = "" if max_length is None else f"#{first}-{first + len(text)}"
    return replace(family.best, document=Document(text, f"{family.name}{suffix}", metadata))


def _agreed(chunks: Sequence[Document]) -> dict[str, Any]:
    """What the metadata of all chunks says alike."""
    first, *others = (chunk.metadata for chunk in chunks)
    return {
        name: value for name, value in first.items() if all(name in other and other[name] == value for other in others)
    }


def _matched(child: Candidate) -> dict[str, Any]:
    start = child.document.metadata["start"]
    return {"id": child.document.id, "score": child.score, "start": start, "end": _end(child.document)}
