"""The contract of a store."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from jina_components.errors import ConfigError, InputError
from jina_components.filters import And, Field, Filter, matches
from jina_components.protocols import Hits, Key, RankingKind, Store
from jina_components.testing.assertions import in_threads, require, require_input_error
from jina_components.testing.memory_store import MemoryStore
from jina_components.testing.store_samples import (
    AWKWARD_IDS,
    AWKWARD_METADATA,
    AWKWARD_TEXTS,
    FILTERED,
    FILTERS,
    TOKEN_WIDTH,
    WIDTH,
    WORDS,
    Sample,
    queries,
    random_sample,
    with_vectors,
)
from jina_components.types import Document, shorten

# Vectors of tokens may be kept in 8 bits a number.
_TOLERANCES: dict[RankingKind, float] = {"dense": 1e-5, "lexical": 1e-4, "multi_vector": 1e-2}
_EVERYTHING = And(())
_MANY = 2_500  # more than engines give or take at once by default


@dataclass(frozen=True, slots=True)
class _Contract:
    """What is asked of the store at hand."""

    make_store: Callable[[], Store]
    reopen: Callable[[Store], Store] | None
    ordered: bool
    exact_lexical: bool


def check_store(
    make_store: Callable[[], Store],
    *,
    reopen: Callable[[Store], Store] | None = None,
    ordered: bool = True,
    exact_lexical: bool = True,
) -> None:
    """Check that a store behaves as `Retriever` expects.

    Documents come back as they were put, replacing and deleting, each ranking it offers with the scores of
    `MemoryStore` (cosines within 1e-5, BM25 within 1e-4, MaxSim within 1e-2, which 8 bits a number keep), filters with
    the meaning of `filters.matches`, scans of many documents, refused puts that change nothing, refused queries, notes,
    calls and first puts from many threads, and, where it lasts, that all is there after it was closed.

    Args:
        make_store: Gives a new, empty store at each call; it is closed at the end.
        reopen: Given a store that was closed, the same one opened again; None where nothing outlives the object.
        ordered: `scan` gives documents in the order they were added, where a replaced one counts as added anew.
        exact_lexical: BM25 is exact; else only which documents are found is checked.

    Raises:
        AssertionError: the first broken rule, in words.
    """
    contract = _Contract(make_store, reopen, ordered, exact_lexical)
    for check in _CHECKS:
        store = make_store()
        try:
            require(store.count() == 0, "make_store gave a store that is not empty.")
            check(store, contract)
        finally:
            store.close()


def _held(store: Store, ids: Sequence[str]) -> set[str]:
    return {name for name, key in zip(ids, store.keys_of(ids), strict=True) if key is not None}


def _check_empty(store: Store, _: _Contract) -> None:
    kinds: tuple[RankingKind, ...] = get_args(RankingKind)
    require(isinstance(store, Store), f"{type(store).__name__} lacks a method of protocols.Store.")
    require(store.rankings and store.rankings <= set(kinds), f"rankings is {store.rankings}; known are {kinds}.")
    for kind in kinds:
        if kind in store.rankings:
            found = _search(store, kind, 5)
            require(not any(found) and len(found) == len(queries(kind)), f"An empty store gave {found} by {kind}.")
        else:
            _require_config_error(store, kind)
    store.put([], np.zeros((0, WIDTH), np.float32) if "dense" in store.rankings else None)
    require(store.count() == 0 and not list(store.scan()), "put([]) of nothing added something.")
    require(store.delete(["no-such-id"]) == 0, "delete of an unknown id counted it.")
    require(store.delete(filter=_EVERYTHING) == 0, "delete by a filter counted something in an empty store.")
    require(store.keys_of(["no-such-id"]) == [None], "keys_of knows an id that was never put.")
    require(store.keys_of([]) == [], "keys_of([]) is not empty.")
    require(store.get([]) == [] and len(store.get_vectors([])) == 0, "get([]) or get_vectors([]) is not empty.")


def _check_awkward_documents(store: Store, contract: _Contract) -> None:
    documents = [Document(*parts) for parts in zip(AWKWARD_TEXTS, AWKWARD_IDS, AWKWARD_METADATA, strict=True)]
    with_vectors(documents).put_into(store)
    _require_same(store, documents, contract)
    require(
        _held(store, [*AWKWARD_IDS, "ID", "é "]) == set(AWKWARD_IDS),
        "keys_of knows other ids than were put.",
    )
    for document in documents:
        require(store.delete([document.id]) == 1, f"delete of the id {shorten(document.id)!r} did not count one.")
    require(store.count() == 0, "Documents are left after each was deleted by its id.")
    broken = with_vectors([Document("half a pair: \ud83c", "half")])
    try:
        broken.put_into(store)
    except InputError:
        broken = broken[:0]
    _require_same(store, list(broken.documents), contract)


def _check_changes(store: Store, contract: _Contract) -> None:
    sample, reference = random_sample(40), _reference(store)
    _put_all(sample, store, reference)
    key = _keys(store, sample.documents[:1])[0]
    again = random_sample(10, seed=5)  # of the same ids
    _put_all(again, store, reference)
    _require_same(store, list(reference.scan()), contract)
    require(store.count(filter=Field("n") == 3) == 1, "The metadata of a replaced document still matches.")
    changes: tuple[dict[str, Any], ...] = (
        {"ids": ["random-3", "random-3", "random-20", "no-such-id"]}, {"filter": Field("n") >= 35},
        {"ids": ["random-0"]}, {"ids": []}, {"filter": Field("n") == -1},
    )  # fmt: skip
    for change in changes:
        got, wanted = store.delete(**change), reference.delete(**change)
        require(got == wanted, f"delete({change}) returned {got}, where {wanted} were there.")
    _require_same(store, list(reference.scan()), contract)
    _require_rankings(store, reference, contract)
    require(store.get([key]) == [None], "get gave a document that was deleted.")
    require(not store.get_vectors([key]).any(), "get_vectors gave the vector of a deleted document.")
    require(
        store.delete(filter=_EVERYTHING) == reference.count(), "A filter that everything matches did not delete all."
    )
    require(
        not any(hits for kind in store.rankings for hits in _search(store, kind, 5)), "Deleted documents are found."
    )
    _put_all(sample[:5], store)
    _require_same(store, list(sample.documents[:5]), contract)


def _check_rankings(store: Store, contract: _Contract) -> None:
    sample, reference = random_sample(60), _reference(store)
    for start in range(0, 60, 20):
        _put_all(sample[start : start + 20], store, reference)
    _require_rankings(store, reference, contract)
    if "dense" in store.rankings:
        keys = _keys(store, sample.documents)
        difference = float(np.abs(store.get_vectors(keys) - sample.vectors).max())
        require(difference <= _TOLERANCES["dense"], f"get_vectors is {difference:.2g} off what was put.")
        dtype = store.get_vectors(keys).dtype
        require(dtype == np.float32, f"get_vectors gave {dtype}, expected float32.")


def _check_filters(store: Store, contract: _Contract) -> None:
    reference = _reference(store)
    _put_all(with_vectors(FILTERED), store, reference)
    metadata = {document.id: document.metadata for document in FILTERED}
    for one in FILTERS:
        wanted = {name for name in metadata if matches(metadata[name], one)}
        found = {document.id for document in store.scan(filter=one)}
        wrong = [f"{'lacks' if name in wanted else 'gave'} {metadata[name]}" for name in sorted(found ^ wanted)]
        require(not wrong, f"scan with {one} {'; '.join(wrong[:5])}.")
        require(store.count(filter=one) == len(wanted), f"count with {one} is not {len(wanted)}.")
    for one in FILTERS[:: len(FILTERS) // 24]:
        _require_rankings(store, reference, contract, one)
    for one in (Field("a") < 1, Field("a").exists() & (Field("b") != "x")):
        got, due = store.delete(filter=one), reference.delete(filter=one)
        require(got == due, f"delete with {one} counted {got} instead of {due}.")
    _require_same(store, list(reference.scan()), contract)


def _check_refusals(store: Store, contract: _Contract) -> None:
    if "dense" not in store.rankings:
        return
    sample, reference = random_sample(20), _reference(store)
    _put_all(sample, store, reference)
    new = random_sample(4, seed=2, prefix="new")
    documents, tokens = [*new.documents, sample.documents[0]], None
    if "multi_vector" in store.rankings:
        tokens = [*new.token_vectors, sample.token_vectors[0]]
    unit, wider = (np.eye(5, width, dtype=np.float32) for width in (WIDTH, WIDTH + 1))
    double, half = (np.diag(np.array([1, 1, 1, 1, length], np.float32)) @ unit for length in (2, 0.5))
    for what, vectors in (
        ("vectors of another width", wider), ("no vectors beside some", None),
        ("fewer vectors than documents", unit[:4]), ("a vector twice as long as a unit vector", double),
        ("a vector half as long as a unit vector", half),
        ("vectors of NaN", np.full((5, WIDTH), np.nan, np.float32)),
    ):  # fmt: skip
        require_input_error(lambda: store.put(documents, vectors, tokens), what)  # noqa: B023
    require_input_error(lambda: store.search_dense(wider, 3), "a query of another width")
    for number in (np.nan, np.inf):
        asked = np.full((1, WIDTH), number, np.float32)
        require_input_error(lambda: store.search_dense(asked, 3), f"a query of {number}")  # noqa: B023
        if tokens:
            query = [asked[:, :TOKEN_WIDTH]]
            require_input_error(lambda: store.search_multi_vector(query, 3), f"a token of a query of {number}")  # noqa: B023
    require(not _held(store, [document.id for document in new.documents]), "A refused put left documents.")
    _require_same(store, list(sample.documents), contract)
    _require_rankings(store, reference, contract)


def _check_many(store: Store, contract: _Contract) -> None:
    sample = random_sample(_MANY)
    for start in range(0, _MANY, 1000):
        _put_all(sample[start : start + 1000], store)
    ids = [document.id for document in sample.documents]
    _require_same(store, list(sample.documents), contract)
    half = [document.id for document in store.scan(filter=Field("half") == True)]  # noqa: E712
    require(
        sorted(half) == sorted(ids[::2]), f"scan with a filter gave {len(half)} documents, expected {len(ids[::2])}."
    )
    require(_held(store, [*ids, "x"]) == set(ids), "keys_of does not know all of many ids.")
    for kind in store.rankings:
        keys = [key for key, _ in _search(store, kind, _MANY)[0]]
        require(None not in store.get(keys), f"get lacks some of the {len(keys)} documents that {kind} found.")
        require(len(set(keys)) == len(keys), f"A document came twice by {kind}.")
        require(kind == "lexical" or len(keys) == _MANY, f"{kind} found {len(keys)} of {_MANY} with k={_MANY}.")
    number, deleted = 0, 0
    for number, document in enumerate(store.scan(), 1):
        if number % 50 == 0:
            deleted += store.delete([document.id])
    require(number == _MANY, f"scan gave {number} of {_MANY} documents while some it had given were deleted.")
    require(store.delete(ids) == _MANY - deleted, "delete of many ids did not count them all.")
    require(store.count() == 0, "Documents are left after all were deleted by their ids.")


def _check_notes(store: Store, _: _Contract) -> None:
    require(store.get_note("embedder") is None, "get_note gave a note that was never set.")
    for text in ("one", "", 'two\'s "note" 🌧️\n' * 50):
        store.set_note("embedder", text)
        require(store.get_note("embedder") == text, f"get_note gave {store.get_note('embedder')!r}, not {text!r}.")
    store.set_note("it's another", "other")
    _put_all(random_sample(3), store)
    store.delete(filter=_EVERYTHING)
    require(store.get_note("embedder") == text, "A note is lost after documents were put and deleted.")
    require(store.get_note("it's another") == "other", "Two notes are taken for one.")
    require(store.count() == 0, "A note counts as a document.")


def _check_threads(store: Store, contract: _Contract) -> None:
    sample, added = random_sample(20), random_sample(40, seed=3, prefix="thread")
    _put_all(sample, store)

    def work(number: int) -> None:
        document = added.documents[number]
        _put_all(added[number : number + 1], store)
        require(_held(store, [document.id]) == {document.id}, "keys_of does not know what the same thread has put.")
        for kind in store.rankings:
            require(_search(store, kind, 3)[0], f"A search by {kind} beside puts found nothing.")
        found = [one.id for one in store.scan(filter=Field("n") == number)]
        require(document.id in found, "scan does not give what the same thread has put.")
        if number % 2:
            require(store.delete([document.id]) == 1, "delete does not count what the same thread has put.")

    in_threads(work, 40)
    _require_same(store, [*sample.documents, *added.documents[::2]], _Contract(contract.make_store, None, False, True))


def _check_first_puts(store: Store, contract: _Contract) -> None:
    sample, reference = random_sample(16), _reference(store)
    in_threads(lambda number: _put_all(sample[number : number + 1], store, reference), 16)
    held = _held(store, [document.id for document in sample.documents])
    require(len(held) == 16, f"Of 16 documents that threads put first into a new store, {len(held)} are held.")
    _require_rankings(store, reference, contract)


def _check_reopening(store: Store, contract: _Contract) -> None:
    sample, reference = random_sample(30), _reference(store)
    _put_all(sample, store, reference)
    for one in (store, reference):
        one.delete(["random-4"])
        one.delete(filter=Field("n") > 25)
        random_sample(3, seed=9).put_into(one)
        one.set_note("embedder", "it's kept")
    store.close()
    store.close()
    if contract.reopen is None:
        return
    opened = contract.reopen(store)
    try:
        _require_same(opened, list(reference.scan()), contract)
        _require_rankings(opened, reference, contract)
        _require_rankings(opened, reference, contract, Field("half") == True)  # noqa: E712
        require(opened.get_note("embedder") == "it's kept", "A note is lost after the store was closed.")
        _put_all(random_sample(12, seed=4, prefix="later"), opened, reference)
        _require_same(opened, list(reference.scan()), contract)
        _require_rankings(opened, reference, contract)
    finally:
        opened.close()


_CHECKS = (
    _check_empty, _check_awkward_documents, _check_changes, _check_rankings, _check_filters, _check_refusals,
    _check_many, _check_notes, _check_threads, _check_first_puts, _check_reopening,
)  # fmt: skip


def _reference(store: Store) -> MemoryStore:
    return MemoryStore(rankings=store.rankings)


def _put_all(sample: Sample, *stores: Store) -> None:
    for store in stores:
        sample.put_into(store)


def _search(store: Store, kind: RankingKind, k: int, filter: Filter | None = None) -> list[Hits]:
    asked = queries(kind)
    if kind == "dense":
        return store.search_dense(asked, k, filter)
    return (store.search_lexical if kind == "lexical" else store.search_multi_vector)(asked, k, filter)


def _keys(store: Store, documents: Sequence[Document]) -> list[Key]:
    """The store's keys of documents of random words, as its searches and `keys_of` tell them."""
    kind = min(store.rankings)
    found = store.search_lexical([" ".join(WORDS)], _MANY) if kind == "lexical" else _search(store, kind, _MANY)
    keys = [key for key, _ in found[0]]
    by_id = {document.id: key for document, key in zip(store.get(keys), keys, strict=True) if document}
    missing = [document.id for document in documents if document.id not in by_id]
    require(not missing, f"No search by {kind} finds {missing[:5]}.")
    wanted = [by_id[document.id] for document in documents]
    got = store.keys_of([document.id for document in documents])
    require(got == wanted, f"keys_of gave {got[:5]}…, where searches by {kind} give {wanted[:5]}….")
    return wanted


def _require_same(store: Store, documents: Sequence[Document], contract: _Contract) -> None:
    """The store holds these documents, and gives them as they were put."""
    require(store.count() == len(documents), f"count is {store.count()}, where {len(documents)} documents are held.")
    got, wanted = list(store.scan()), list(documents)
    if not contract.ordered:
        got, wanted = (sorted(some, key=lambda document: document.id) for some in (got, wanted))
    ids = [document.id for document in wanted]
    require(
        [document.id for document in got] == ids,
        f"scan gave {shorten(str([document.id for document in got]), 300)}, expected {shorten(str(ids), 300)}.",
    )
    for before, after in zip(wanted, got, strict=True):
        require(before.text == after.text, f"The text {before!r} came back as {after!r}.")
        texts = [json.dumps(document.metadata, sort_keys=True) for document in (before, after)]
        require(texts[0] == texts[1], f"The metadata {texts[0]} came back as {texts[1]}.")


def _require_rankings(store: Store, reference: MemoryStore, contract: _Contract, filter: Filter | None = None) -> None:
    """Every ranking gives what the reference does."""
    for kind in store.rankings:
        what = kind if filter is None else f"{kind} with {filter}"
        everything = [_by_id(reference, hits) for hits in _search(reference, kind, reference.count(), filter)]
        for k in (1, 7, reference.count() + 10):
            found = _search(store, kind, k, filter)
            require(len(found) == len(everything), f"{what}: {len(found)} lists of hits for {len(everything)} queries.")
            for hits, wanted in zip(found, everything, strict=True):
                require(len(hits) == min(k, len(wanted)), f"{what}: {len(hits)} hits, expected {min(k, len(wanted))}.")
                got = _by_id(store, hits)
                require(len(got) == len(hits), f"{what}: a document came twice, or get lacks it.")
                require(got.keys() <= wanted.keys(), f"{what}: found {got.keys() - wanted.keys()}, which do not match.")
                if kind != "lexical" or contract.exact_lexical:
                    _require_scores(got, wanted, _TOLERANCES[kind], what)


def _require_scores(got: dict[str, float], wanted: dict[str, float], tolerance: float, what: str) -> None:
    """Each document has its score, and they are the best ones, best first; equal ones in any order."""
    tolerance *= max(1.0, *map(abs, wanted.values())) if wanted else 1.0
    for id, score in got.items():  # noqa: A001
        require(
            abs(score - wanted[id]) <= tolerance,
            f"{what}: {id!r} has the score {score:.7g}, expected {wanted[id]:.7g}.",
        )
    best = sorted(wanted.values(), reverse=True)
    for place, (score, due) in enumerate(zip(got.values(), best, strict=False), 1):
        require(
            abs(score - due) <= 2 * tolerance, f"{what}: place {place} has the score {score:.7g}, expected {due:.7g}."
        )


def _require_config_error(store: Store, kind: RankingKind) -> None:
    try:
        _search(store, kind, 3)
    except ConfigError:
        return
    raise AssertionError(f"A search by {kind}, which is not among the store's rankings, raised no ConfigError.")


def _by_id(store: Store, hits: Hits) -> dict[str, float]:
    documents = store.get([key for key, _ in hits])
    return {document.id: score for document, (_, score) in zip(documents, hits, strict=True) if document is not None}
