from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import Document
from jina_components.errors import ConfigError, IndexFilesError, InputError
from jina_components.filters import Field
from jina_components.protocols import Store
from jina_components.retriever.stores.wrapped import KEY_FIELD, WrappedStore, plain_metadata, plain_text
from jina_components.testing import MemoryStore, check_store

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_QUERY = np.eye(1, 4, dtype=np.float32)


class Engine:
    """Vectors in a dictionary; fails where it is told to, in the middle of the work."""

    name = "Engine"

    def __init__(self) -> None:
        self.vectors: dict[str | None, FloatArray] = {}
        self.asked: list[int] = []
        self.failure: dict[str, BaseException] = {}

    def add(self, keys: Sequence[str], documents: Sequence[Document], vectors: FloatArray) -> None:
        half = len(keys) // 2 if "add" in self.failure else len(keys)
        self.vectors |= zip(keys[:half], vectors[:half], strict=True)
        self._fail("add")

    def remove(self, keys: Sequence[str]) -> None:
        self._fail("remove")
        for key in keys:
            self.vectors.pop(key, None)

    def nearest(self, vector: FloatArray, k: int) -> list[str | None]:
        self._fail("nearest")
        self.asked.append(k)
        return sorted(self.vectors, key=lambda key: -float(self.vectors[key] @ vector))[:k]

    def _fail(self, what: str) -> None:
        if error := self.failure.pop(what, None):
            raise error


def _documents(*ids: str, text: str = "text", **metadata: object) -> list[Document]:
    return [Document(f"{text} {name}", name, metadata) for name in ids]


def _vectors(number: int, seed: int = 0) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((number, 4)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _ids(store: Store) -> list[str]:
    return [document.id for document in store.scan()]


@pytest.mark.slow
def test_wrapped_store_contract(tmp_path: Path) -> None:
    engines: dict[WrappedStore, tuple[Engine, Path]] = {}

    def make() -> Store:
        engine, path = Engine(), tmp_path / f"{len(engines)}.sqlite3"
        store = WrappedStore(engine, path=path)
        engines[store] = (engine, path)
        return store

    def reopen(store: Store) -> Store:
        engine, path = engines[store]  # type: ignore[index]
        return WrappedStore(engine, path=path)

    check_store(make, reopen=reopen)


def test_put_that_fails_changes_nothing() -> None:
    engine = Engine()
    with WrappedStore(engine) as store:
        store.put(_documents("a", "b"), _vectors(2))
        engine.failure["add"] = RuntimeError("the disk is full")
        with pytest.raises(IndexFilesError, match="Engine failed to add: the disk is full"):
            store.put(_documents("b", "c", "d", text="new"), _vectors(3, seed=1))
        assert [document.text for document in store.scan()] == ["text a", "text b"]
        assert _scores(store).keys() == {"a", "b"}
        store.put(_documents("e"), _vectors(1))
        assert len(engine.vectors) == 3  # what was left of the failure is gone


def test_what_a_killed_process_leaves_is_not_found_and_swept_away(tmp_path: Path) -> None:
    engine, path = Engine(), tmp_path / "companion"
    with WrappedStore(engine, path=path) as store:
        store.put(_documents("a", "b"), _vectors(2))
        for what, work in (
            ("add", lambda: store.put(_documents("a", "c"), _vectors(2))),
            ("remove", lambda: store.delete(["b"])),
        ):
            engine.failure[what] = KeyboardInterrupt()
            with pytest.raises(KeyboardInterrupt):
                work()
    assert len(engine.vectors) == 3
    with WrappedStore(engine, path=path) as store:
        assert _ids(store) == ["a"]
        assert len(store.search_dense(_QUERY, 5)[0]) == 1
        assert store.delete(["no-such-id"]) == 0
    assert len(engine.vectors) == 1


def test_filter_asks_for_more_until_enough_match() -> None:
    engine = Engine()
    with WrappedStore(engine) as store:
        documents = [Document(f"text {number}", f"{number}", {"n": number}) for number in range(400)]
        vectors = _vectors(400)
        store.put(documents, vectors)
        order = np.argsort(-(vectors @ _QUERY[0]))
        rare = Field("n").is_in([int(number) for number in order[[0, 20, 350]]])
        (hits,) = store.search_dense(_QUERY, 2, rare)
        assert engine.asked == [2, 8, 32]
        assert [document.id for document in store.get([key for key, _ in hits]) if document] == [
            f"{order[0]}",
            f"{order[20]}",
        ]
        engine.asked.clear()
        assert len(store.search_dense(_QUERY, 5, rare)[0]) == 3
        assert engine.asked[-1] == 400


@pytest.mark.parametrize(
    ("what", "error", "expected"),
    [
        ("nearest", NotImplementedError("no"), ConfigError),
        ("nearest", OSError("gone"), IndexFilesError),
        ("remove", NotImplementedError("no"), ConfigError),
        ("add", InputError("a text too long", 0), InputError),
    ],
)
def test_errors_of_the_engine_are_ours(what: str, error: Exception, expected: type[Exception]) -> None:
    engine = Engine()
    with WrappedStore(engine) as store:
        store.put(_documents("a"), _vectors(1))
        engine.failure[what] = error
        with pytest.raises(expected):
            {
                "nearest": lambda: store.search_dense(_QUERY, 1),
                "remove": lambda: store.delete(["a"]),
                "add": lambda: store.put(_documents("b"), _vectors(1)),
            }[what]()


def test_engine_of_another_store_is_refused() -> None:
    engine = Engine()
    with WrappedStore(engine) as first, WrappedStore(engine) as second:
        first.put(_documents("a"), _vectors(1))
        second.put(_documents("b"), _vectors(1))
        with pytest.raises(ConfigError, match="did not put there: give the store a collection of its own"):
            second.search_dense(_QUERY, 2)
        engine.vectors = {None: _QUERY[0]}
        with pytest.raises(ConfigError, match="did not put there"):
            first.search_dense(_QUERY, 1)
        engine.vectors.clear()
        with pytest.raises(IndexFilesError, match="gave nothing, where 1 documents were put"):
            first.search_dense(_QUERY, 1)


def test_companion_has_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "companion"
    with WrappedStore(Engine(), path=path) as first, WrappedStore(Engine(), path=path) as second:
        assert first.count() == 0
        with pytest.raises(IndexFilesError, match="One process has it at a time"):
            second.count()
        first.close()
        assert second.count() == 0


def test_companion_that_is_another_file_is_refused(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE other (x)")
    (tmp_path / "text").write_text("no database " * 100)
    for name, message in (("other", "no companion"), ("text", "cannot be used"), ("none/x", "cannot be used")):
        with WrappedStore(Engine(), path=tmp_path / name) as store, pytest.raises(IndexFilesError, match=message):
            store.count()


def test_vectors_are_needed_and_token_vectors_refused() -> None:
    with WrappedStore(Engine()) as store:
        with pytest.raises(InputError, match="give vectors, and no token vectors"):
            store.put(_documents("a"), None)
        with pytest.raises(InputError, match="give vectors, and no token vectors"):
            store.put(_documents("a"), _vectors(1), [np.eye(2, dtype=np.float32)])
        with pytest.raises(InputError, match="either ids or filter"):
            store.delete()


def test_scan_ends_where_each_document_is_put_again() -> None:
    with WrappedStore(Engine()) as store:
        store.put(_documents("a", "b", "c"), _vectors(3))
        for document in store.scan():
            store.put([document], _vectors(1))
        assert _ids(store) == ["a", "b", "c"]


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete"]),
        st.lists(st.sampled_from("abcdef"), unique=True, max_size=4),
        st.sampled_from([None, None, "add", "remove"]),
    ),
    max_size=12,
)


@given(changes=_CHANGES)
@settings(deadline=None, max_examples=60)
def test_changes_with_failures_are_whole_or_none(changes: list[tuple[str, list[str], str | None]]) -> None:
    engine, reference = Engine(), MemoryStore(rankings=["dense"])
    with WrappedStore(engine) as store:
        for number, (kind, ids, failure) in enumerate(changes):
            arguments: dict[str, tuple[Any, ...]] = {
                "put": (_documents(*ids, n=number % 3), _vectors(len(ids), seed=number)),
                "delete": (ids,),
            }
            engine.failure = {failure: RuntimeError()} if failure else {}
            try:
                getattr(store, kind)(*arguments[kind])
                happened = True
            except IndexFilesError as error:
                happened = "failed to delete" in str(error)  # which is after the change took place
            engine.failure = {}
            if happened:
                getattr(reference, kind)(*arguments[kind])
            assert list(store.scan()) == list(reference.scan())
            assert store.count(filter=Field("n") == 1) == reference.count(filter=Field("n") == 1)
            ours, theirs = (_scores(each) for each in (store, reference))
            assert ours == pytest.approx(theirs, abs=1e-6)


def _scores(store: Store) -> dict[str, float]:
    (hits,) = store.search_dense(_QUERY, 10)
    documents = store.get([key for key, _ in hits])
    return {document.id: score for document, (_, score) in zip(documents, hits, strict=True) if document}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(metadata=st.dictionaries(st.text(max_size=5), _JSON, max_size=4), text=st.text(st.characters()))
def test_plain_forms_are_what_any_index_takes(metadata: dict[str, object], text: str) -> None:
    plain_text(text + "\ud83c\0").encode()
    plain = plain_metadata(Document(text, metadata=metadata), "key")
    assert plain[KEY_FIELD] == "key"
    json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    for name, value in plain.items():
        assert name
        assert isinstance(value, str | bool | float | int)
        assert "\0" not in name
        if isinstance(metadata.get(name), bool | float):
            assert value == metadata[name]


def test_a_store_names_its_index(tmp_path: Path) -> None:
    assert repr(WrappedStore(Engine())) == "WrappedStore(Engine)"
    assert repr(WrappedStore(Engine(), path=tmp_path / "c")) == f"WrappedStore(Engine, path={str(tmp_path / 'c')!r})"
