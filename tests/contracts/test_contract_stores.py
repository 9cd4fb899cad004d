"""The fake store passes the contract of stores, and the check catches what breaks a rule."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from jina_components.core.vectors import normalize
from jina_components.errors import InputError
from jina_components.filters import And, Condition, Not, Or, matches
from jina_components.testing import MemoryStore, check_store
from jina_components.types import Document


class Lasting(MemoryStore):
    """Its documents live in a mapping outside."""

    def __init__(self, place=None):
        super().__init__()
        self.place = {} if place is None else place
        self._rows = self.place.setdefault("rows", self._rows)
        self._key_of = self.place.setdefault("keys", self._key_of)
        self._notes = self.place.setdefault("notes", self._notes)
        self._keys = self.place.setdefault("next", self._keys)


@pytest.mark.parametrize(
    "rankings", [["dense", "lexical", "multi_vector"], ["dense"], ["lexical"], ["multi_vector", "lexical"]]
)
def test_the_fake(rankings):
    check_store(lambda: MemoryStore(rankings=rankings))


def test_a_store_that_lasts():
    check_store(Lasting, reopen=lambda store: Lasting(store.place))


def test_stores_are_closed():
    made = []

    class Counted(MemoryStore):
        def close(self):
            self.closed = True

    def make():
        made.append(Counted(rankings=["lexical"]))
        return made[-1]

    check_store(make)
    assert len(made) > 5
    assert all(store.closed for store in made)


class Unordered(MemoryStore):
    def scan(self, *, filter=None):
        yield from sorted(super().scan(filter=filter), key=lambda document: document.text)


class OtherWeights(MemoryStore):
    def search_lexical(self, queries, k, filter=None):
        return [[(key, score**0.5) for key, score in hits] for hits in super().search_lexical(queries, k, filter)]


def test_what_engines_may_do_otherwise():
    check_store(Unordered, ordered=False)
    check_store(OtherWeights, exact_lexical=False)


# --- stores that break a rule, and what the check says of each ---------------------------------------------------


class Unclean(MemoryStore):
    def __init__(self):
        super().__init__()
        self.put([Document("x", "x")], np.eye(1, 3, dtype=np.float32))


class Boastful(MemoryStore):
    rankings = frozenset({"dense", "sparse"})


class Silent(MemoryStore):
    """Gives nothing where it cannot rank, instead of an error."""

    rankings = frozenset({"lexical"})

    def search_multi_vector(self, queries, k, filter=None):
        return []

    def search_dense(self, vectors, k, filter=None):
        return []


class CountsUnknown(MemoryStore):
    def delete(self, ids=None, *, filter=None):
        return max(super().delete(ids, filter=filter), len(ids or ()))


class CutsTexts(MemoryStore):
    def put(self, documents, vectors, token_vectors=None):
        super().put([replace(one, text=one.text[:65535]) for one in documents], vectors, token_vectors)


class WholeFloats(MemoryStore):
    def put(self, documents, vectors, token_vectors=None):
        found = [
            json.loads(json.dumps(one.metadata), parse_float=lambda text: float(text) + 0 if "." in text else 0)
            for one in documents
        ]
        fixed = [
            replace(one, metadata={name: int(v) if v == 1.0 and type(v) is float else v for name, v in m.items()})
            for one, m in zip(documents, found, strict=True)
        ]
        super().put(fixed, vectors, token_vectors)


class KeepsOld(MemoryStore):
    """Adds beside instead of replacing."""

    def put(self, documents, vectors, token_vectors=None):
        for one in documents:
            self._key_of.pop(one.id, None)
        super().put(documents, vectors, token_vectors)


class OtherKeys(MemoryStore):
    """Does not name documents as its searches do."""

    def keys_of(self, ids):
        return [None if key is None else f"key {key}" for key in super().keys_of(ids)]


class GivesDeleted(MemoryStore):
    def put(self, documents, vectors, token_vectors=None):
        super().put(documents, vectors, token_vectors)
        self.seen = {**getattr(self, "seen", {}), **{key: row.document for key, row in self._rows.items()}}

    def get(self, keys):
        return [self.seen.get(key) for key in keys]


class Products(MemoryStore):
    """Ranks by half the cosine."""

    def search_dense(self, vectors, k, filter=None):
        return super().search_dense(vectors / 2, k, filter)


class WorstFirst(MemoryStore):
    def search_lexical(self, queries, k, filter=None):
        return [hits[::-1] for hits in super().search_lexical(queries, k, filter)]


class StatisticsOfTheFiltered(MemoryStore):
    def search_lexical(self, queries, k, filter=None):
        if filter is None:
            return super().search_lexical(queries, k)
        part = MemoryStore(rankings=["lexical"])
        part.put(list(self.scan(filter=filter)), None)
        key_of = {one.id: self._key_of[one.id] for one in part.scan()}
        found = part.search_lexical(queries, k)
        return [[(key_of[part.get([key])[0].id], score) for key, score in hits] for hits in found]


class FiltersLate(MemoryStore):
    """Takes k first and filters then."""

    def search_dense(self, vectors, k, filter=None):
        allowed = set(self._matching(filter))
        return [[hit for hit in hits if hit[0] in allowed] for hits in super().search_dense(vectors, k)]


class AThousandAtMost(MemoryStore):
    def scan(self, *, filter=None):
        yield from list(super().scan(filter=filter))[:1000]


class PagesByNumber(MemoryStore):
    """Asks for the next hundred behind as many as it has seen."""

    def scan(self, *, filter=None):
        seen = 0
        while page := list(super().scan(filter=filter))[seen : seen + 100]:
            yield from page
            seen += len(page)


class HitsAtMost(MemoryStore):
    def search_dense(self, vectors, k, filter=None):
        return super().search_dense(vectors, min(k, 1000), filter)


class Partial(MemoryStore):
    """Puts one after the other, up to the first that is wrong."""

    def put(self, documents, vectors, token_vectors=None):
        if vectors is not None and vectors.shape[1:] != (16,):
            super().put(documents[:1], np.eye(1, 16, dtype=np.float32), token_vectors and token_vectors[:1])
        super().put(documents, vectors, token_vectors)


class AnyWidth(MemoryStore):
    def put(self, documents, vectors, token_vectors=None):
        try:
            super().put(documents, vectors, token_vectors)
        except InputError:
            super().put(
                documents, np.resize(vectors if vectors is not None else 1, (len(documents), 16)), token_vectors
            )


class AnyLength(MemoryStore):
    """Normalizes what it is given."""

    def put(self, documents, vectors, token_vectors=None):
        super().put(documents, None if vectors is None else normalize(vectors), token_vectors)


class NoNumbers(MemoryStore):
    """Takes what is no finite number for 0."""

    def search_dense(self, vectors, k, filter=None):
        return super().search_dense(np.nan_to_num(vectors, posinf=0), k, filter)


class NoNumbersInTokens(MemoryStore):
    def search_multi_vector(self, queries, k, filter=None):
        return super().search_multi_vector([np.nan_to_num(query, posinf=0) for query in queries], k, filter)


class ForgetsNotes(MemoryStore):
    def delete(self, ids=None, *, filter=None):
        self._notes.clear()
        return super().delete(ids, filter=filter)


class Racy(MemoryStore):
    """Counts on nobody else to write between its look and its write."""

    def put(self, documents, vectors, token_vectors=None):
        with self._lock:
            rows, key_of = dict(self._rows), dict(self._key_of)
        time.sleep(0.002)
        self._rows, self._key_of = rows, key_of
        super().put(documents, vectors, token_vectors)


class MadeByEach(MemoryStore):
    """Threads that find nothing there make it anew, beside one another."""

    def put(self, documents, vectors, token_vectors=None):
        if not self._rows:
            time.sleep(0.05)
            self._rows, self._key_of = {}, {}
        super().put(documents, vectors, token_vectors)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Unclean, "not empty"),
        (Boastful, "rankings is"),
        (Silent, "raised no ConfigError"),
        (CountsUnknown, "unknown id"),
        (CutsTexts, "The text .* came back as"),
        (WholeFloats, "The metadata .* came back as"),
        (KeepsOld, "count is"),
        (OtherKeys, "keys_of gave"),
        (GivesDeleted, "get gave a document that was deleted|get lacks"),
        (Products, "dense: .* has the score"),
        (WorstFirst, "lexical: place 1 has the score"),
        (StatisticsOfTheFiltered, "lexical with .* has the score"),
        (FiltersLate, "dense with .* hits, expected"),
        (AThousandAtMost, "scan gave"),
        (PagesByNumber, "while some it had given were deleted"),
        (HitsAtMost, "dense found 1000 of 2500"),
        (Partial, "refused put left documents"),
        (AnyWidth, "another width: was accepted"),
        (AnyLength, "twice as long as a unit vector: was accepted"),
        (NoNumbers, "a query of nan: was accepted"),
        (NoNumbersInTokens, "a token of a query of nan: was accepted"),
        (ForgetsNotes, "note is lost"),
        (Racy, "."),
        (MadeByEach, "first into a new store"),
    ],
)
def test_broken_rules(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_store(broken)


def read_as(meaning):
    """A store whose filters have another meaning."""

    class Misread(MemoryStore):
        def _matching(self, filter):
            return {
                key: row for key, row in self._rows.items() if filter is None or meaning(row.document.metadata, filter)
            }

    return Misread


def null_is_absent(metadata, filter):
    return matches({name: value for name, value in metadata.items() if value is not None}, filter)


def true_is_one(metadata, filter):
    return matches({name: int(value) if isinstance(value, bool) else value for name, value in metadata.items()}, filter)


def no_empty_lists(metadata, filter):
    return matches({name: value for name, value in metadata.items() if value != []}, filter)


def doubles(metadata, filter):
    return matches({name: float(value) if type(value) is int else value for name, value in metadata.items()}, filter)


def first_item(metadata, filter):
    return matches({name: value[:1] if isinstance(value, list) else value for name, value in metadata.items()}, filter)


def absent_is_unknown(metadata, filter):
    """As SQL has it: neither a condition on a missing field nor its opposite holds."""
    if isinstance(filter, Not) and isinstance(filter.filter, Condition) and filter.filter.operator != "exists":
        return filter.filter.path[0] in metadata and matches(metadata, filter)
    if isinstance(filter, And | Or):
        return (all if isinstance(filter, And) else any)(absent_is_unknown(metadata, part) for part in filter.filters)
    return matches(metadata, filter)


def short_dates(metadata, filter):
    return matches({name: value[:10] if isinstance(value, str) else value for name, value in metadata.items()}, filter)


@pytest.mark.parametrize(
    "meaning", [null_is_absent, true_is_one, no_empty_lists, doubles, first_item, absent_is_unknown, short_dates]
)
def test_filters_of_another_meaning(meaning):
    with pytest.raises(AssertionError, match=r"scan with .* (lacks|gave) \{"):
        check_store(read_as(meaning))


@pytest.mark.parametrize(
    ("reopen", "message"),
    [
        (lambda store: Lasting(), "count is 0"),
        (lambda store: Lasting({**store.place, "notes": {}}), "note is lost"),
    ],
)
def test_stores_that_do_not_last(reopen, message):
    with pytest.raises(AssertionError, match=message):
        check_store(Lasting, reopen=reopen)
