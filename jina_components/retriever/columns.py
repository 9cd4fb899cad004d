"""Metadata by columns, so that a filter over a million documents takes a millisecond."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from jina_components.errors import IndexFilesError
from jina_components.filters import And, Condition, Filter, Not, Or, values_at
from jina_components.filters.meaning import ORDERS, tags, wanted_tag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]
    Codes: TypeAlias = NDArray[np.int32]
    Doubles: TypeAlias = NDArray[np.float64]

MetadataOf: TypeAlias = Callable[[int, int], Iterable[Mapping[str, Any]]]
"""Gives the metadata of the slots from the first to before the second, one for each, deleted ones included."""

_ABSENT, _LIST = -1, -2  # codes of slots without the field, and of those whose values are among the items
_NOTHING: Any = ("nothing", None)  # the tag of values that equal none: mappings, and lists within lists
# Codes that are compared one by one; the gather that serves more of them takes as long as some ten comparisons.
_FEW = 8


class MetadataColumns:
    """The metadata of a store's slots, by field: what `filters.matches` says, for all slots at once.

    A field's column is made when a filter first asks for it, and extended when there are more slots than it has seen;
    the metadata of a slot never changes. Safe to use from many threads: a column is a value that is replaced by a
    longer one under a lock, and whoever knows of fewer slots takes its beginning; a filter on columns that are long
    enough takes no lock. So all states of a store share one object, until compaction renumbers the slots.

    A column takes 4 bytes a slot and 8 for each item of a list, beside its distinct values.
    """

    def __init__(self) -> None:
        self._columns: dict[tuple[str, ...], _Column] = {}
        self._growing = threading.Lock()

    def mask(self, filter: Filter, metadata_of: MetadataOf, num_slots: int) -> Mask:
        """Which slots match, bool, shape [num_slots].

        Args:
            filter: What has to match.
            metadata_of: Asked for the slots that a column has not seen yet, once for all columns that lack the same.
            num_slots: How many there are, in the eyes of the caller.

        Raises:
            IndexFilesError: `metadata_of` gave more or less than one for each slot.
        """
        columns = self._grown(_paths(filter), metadata_of, num_slots)
        return _mask(filter, columns, num_slots)

    def compacted(self, new_slots: NDArray[np.int64]) -> MetadataColumns:
        """The columns of the slots that stay.

        Args:
            new_slots: The new slot of each old one, ascending, and -1 for those that go.
        """
        compacted = MetadataColumns()
        with self._growing:
            for path, column in self._columns.items():
                compacted._columns[path] = column.compacted(new_slots)
        return compacted

    def __repr__(self) -> str:
        return f"MetadataColumns({', '.join('.'.join(path) for path in self._columns)})"

    def _grown(
        self, paths: Iterable[tuple[str, ...]], metadata_of: MetadataOf, num_slots: int
    ) -> dict[tuple[str, ...], _Column]:
        """The column of each path, of `num_slots` slots at least."""
        columns = {path: self._columns.get(path, _EMPTY) for path in paths}
        if all(len(column.codes) >= num_slots for column in columns.values()):
            return columns
        with self._growing:
            by_length: dict[int, dict[tuple[str, ...], _Column]] = {}
            for path in columns:
                columns[path] = column = self._columns.get(path) or _empty()
                by_length.setdefault(len(column.codes), {})[path] = column
            for length, group in by_length.items():
                if length < num_slots:
                    columns |= _extended(group, metadata_of(length, num_slots), num_slots)
                    self._columns |= columns  # at once: its lookup has grown too
        return columns


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """One field of the first slots, by codes of its distinct values.

    Attributes:
        lookup: The code of each tag, shared with longer columns made of this one, so that it may know more codes.
        codes: Of each slot, or `_ABSENT` or `_LIST`.
        item_slots: The slot of each item of a list, ascending.
        item_codes: Its code.
        numbers: What each code is as a double, the nearest where there is none; NaN for what is no number.
        inexact: The numbers that no double is, by code.
        instants: What each code is as an instant; NaN for what is no date.
    """

    lookup: dict[tuple[str, Any], int]
    codes: Codes
    item_slots: Codes
    item_codes: Codes
    numbers: Doubles
    inexact: dict[int, int]
    instants: Doubles

    def mask(self, condition: Condition, num_slots: int) -> Mask:
        codes = self.codes[:num_slots]
        if condition.operator == "exists":
            return codes != _ABSENT
        wanted = self._wanted_codes(condition)
        found = _among(codes, wanted, len(self.numbers))
        items = np.searchsorted(self.item_slots, num_slots)
        if items and len(wanted):
            found[self.item_slots[:items][_among(self.item_codes[:items], wanted, len(self.numbers))]] = True
        return found

    def compacted(self, new_slots: NDArray[np.int64]) -> _Column:
        new_slots = new_slots[: len(self.codes)]
        # It may have grown for a reader of more slots than there were for those who number them anew.
        old_items = self.item_slots[: np.searchsorted(self.item_slots, len(new_slots))]
        kept, kept_items = new_slots >= 0, new_slots[old_items] >= 0
        codes, item_codes = self.codes[: len(kept)][kept], self.item_codes[: len(kept_items)][kept_items]
        # Codes anew: the lookup must be this column's own, since the old one goes on growing for older readers.
        used = np.union1d(codes[codes >= 0], item_codes)
        new_codes = np.full(len(self.numbers) + 2, _ABSENT, np.int32)
        new_codes[used] = np.arange(len(used), dtype=np.int32)
        new_codes[_LIST] = _LIST
        known = {tag: int(new_codes[code]) for tag, code in self.lookup.items()}
        return _Column(
            lookup={tag: code for tag, code in known.items() if code >= 0},
            codes=new_codes[codes],
            item_slots=new_slots[old_items[kept_items]].astype(np.int32),
            item_codes=new_codes[item_codes],
            numbers=self.numbers[used],
            inexact={int(new_codes[code]): value for code, value in self.inexact.items() if new_codes[code] >= 0},
            instants=self.instants[used],
        )

    def _wanted_codes(self, condition: Condition) -> NDArray[np.int64]:
        """The codes of the distinct values that pass."""
        wanted = [wanted_tag(value) for value in condition.wanted]
        if condition.operator in ORDERS:
            ((kind, bound),) = wanted
            return np.flatnonzero(self._ordered(kind, ORDERS[condition.operator], bound))
        instants = [content for kind, content in wanted if kind == "instant"]
        found = np.flatnonzero(np.isin(self.instants, instants)) if instants else np.zeros(0, np.int64)
        codes = {self.lookup.get(tag, -1) for tag in wanted}
        return np.union1d(found, [code for code in codes if 0 <= code < len(self.numbers)]).astype(np.int64)

    def _ordered(self, kind: str, comparison: Callable[[Any, Any], Any], bound: float) -> Mask:
        if kind == "instant":
            return np.asarray(comparison(self.instants, bound))
        nearest = _double(bound)
        passing = np.asarray(comparison(self.numbers, nearest))
        if nearest != bound:
            passing[self.numbers == nearest] = comparison(nearest, bound)
        for code, value in self.inexact.items():
            passing[code] = comparison(value, bound)
        return passing


class _Growth:
    """What a longer column has more than the one it is made of."""

    def __init__(self, path: tuple[str, ...], column: _Column) -> None:
        self._path, self._column = path, column
        self._first = len(column.codes)
        self._codes: list[int] = []
        self._item_slots: list[int] = []
        self._item_codes: list[int] = []
        self._numbers: list[float] = []
        self._inexact: dict[int, int] = {}
        self._instants: list[float] = []
        self._new: dict[Any, int] = {}

    def add(self, metadata: Mapping[str, Any]) -> None:
        """The metadata of the next slot."""
        values = values_at(metadata, self._path)
        if values is None:
            self._codes.append(_ABSENT)
        elif isinstance(values, tuple) and len(values) == 1:  # a value that is no list
            self._codes.append(self._code(values[0]))
        else:
            self._item_codes.extend(map(self._code, values))
            self._item_slots.extend([self._first + len(self._codes)] * len(values))
            self._codes.append(_LIST)

    def _code(self, value: object) -> int:
        found = tags(value) or [_NOTHING]
        code = self._column.lookup.get(found[0], self._new.get(found[0]))
        if code is None:
            code = len(self._column.numbers) + len(self._numbers)
            content = dict(found)
            number = content.get("number", np.nan)
            self._numbers.append(_double(number))
            self._instants.append(content.get("instant", np.nan))
            if "number" in content and self._numbers[-1] != number:
                self._inexact[code] = number
            self._new[found[0]] = code
        return code

    def grown(self, num_slots: int) -> _Column:
        """The longer column."""
        column = self._column
        if self._first + len(self._codes) != num_slots:
            raise IndexFilesError(
                f"Metadata of the slots {self._first} to {num_slots} was asked for and that of {len(self._codes)} "
                "came: the store's files contradict each other, which its repair() mends."
            )
        column.lookup.update(self._new)
        return _Column(
            column.lookup,
            _joined(column.codes, self._codes),
            _joined(column.item_slots, self._item_slots),
            _joined(column.item_codes, self._item_codes),
            _joined(column.numbers, self._numbers),
            column.inexact | self._inexact,
            _joined(column.instants, self._instants),
        )


def _empty() -> _Column:
    integers, doubles = np.zeros(0, np.int32), np.zeros(0)
    return _Column({}, integers, integers, integers, doubles, {}, doubles)


_EMPTY = _empty()  # never grown, so that its lookup stays empty


def _extended(
    columns: Mapping[tuple[str, ...], _Column], metadata: Iterable[Mapping[str, Any]], num_slots: int
) -> dict[tuple[str, ...], _Column]:
    """The columns, all of one length, with the metadata of the next slots."""
    growths = {path: _Growth(path, column) for path, column in columns.items()}
    for one in metadata:
        for growth in growths.values():
            growth.add(one)
    return {path: growth.grown(num_slots) for path, growth in growths.items()}


def _joined(array: Any, more: list[Any]) -> Any:  # noqa: ANN401 (any dtype)
    return np.concatenate([array, np.asarray(more, array.dtype)])


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _among(codes: Codes, wanted: NDArray[np.int64], num_values: int) -> Mask:
    """Which codes are among the wanted ones."""
    if len(wanted) > _FEW:
        truth = np.zeros(num_values + 2, np.bool_)  # and one for `_ABSENT` and one for `_LIST`, from the end
        truth[wanted] = True
        return truth[codes]
    found = np.zeros(len(codes), np.bool_)
    for code in wanted:
        found |= codes == code
    return found


def _paths(filter: Filter) -> set[tuple[str, ...]]:
    if isinstance(filter, Condition):
        return {filter.path}
    return set().union(*map(_paths, [filter.filter] if isinstance(filter, Not) else filter.filters))


def _mask(filter: Filter, columns: Mapping[tuple[str, ...], _Column], num_slots: int) -> Mask:
    if isinstance(filter, Condition):
        return columns[filter.path].mask(filter, num_slots)
    if isinstance(filter, Not):
        return ~_mask(filter.filter, columns, num_slots)
    masks = [_mask(part, columns, num_slots) for part in filter.filters]
    join: np.ufunc = np.logical_or if isinstance(filter, Or) else np.logical_and
    joined = np.full(num_slots, isinstance(filter, And))
    for mask in masks:
        join(joined, mask, out=joined)
    return joined
