import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import ConfigError
from jina_components.service.batches.jobs import Line, Order
from jina_components.service.batches.store import DAY, MAX_LINES, BatchStore
from jina_components.service.errors import Problem, problem


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    made = BatchStore(tmp_path / "batches", clock=clock, max_waiting=100, max_waiting_of_owner=60)
    yield made
    made.close()


def order(owner="anna", **changed):
    asked = {
        "model": "m", "task": None, "dimensions": None, "normalized": True, "truncate": False, "webhook_url": None,
        "base_url": "http://x/", "request_id": "r",
    }  # fmt: skip
    return Order(**{"owner": owner, **asked, **changed})


def lines(count, start=1, inputs=1):
    return [Line(number, f"id-{number}", inputs, b'"text"') for number in range(start, start + count)]


def done(line):
    return Line(line.number, line.custom_id, line.inputs, b"vectors", tokens=3)


def taken(store, batch, max_inputs=10):
    return store.waiting(batch, max_inputs=max_inputs, max_bytes=10_000)


def results(store, batch, *, failed=False):
    return [line for part in store.results(batch, failed=failed) for line in part]


def test_lines_become_results_in_their_order(store):
    bad = Line(4, None, 0, b"").failed_with(problem(400, "It is bad."))
    made = store.add(order(), [*lines(3), bad, *lines(2, start=5)])
    assert (made.status, made.total, made.completed, made.failed) == ("pending", 6, 0, 1)
    batch = store.next_turn("")
    assert (batch.id, batch.status) == (made.id, "processing")
    first = taken(store, batch, max_inputs=2)
    assert [line.number for line in first] == [1, 2]
    assert store.commit(batch, [done(line) for line in first])
    rest = taken(store, batch)
    assert [line.number for line in rest] == [3, 5, 6]
    store.commit(batch, [*map(done, rest[:2]), rest[2].failed_with(problem(400, "Too long."))])
    ended = store.get(made.id, "anna")
    assert (ended.status, ended.completed, ended.failed, ended.tokens) == ("completed", 4, 2, 12)
    assert ended.completed_at == 1_000_000.0
    assert [(line.number, line.custom_id, line.content, line.tokens) for line in results(store, ended)] == [
        (number, f"id-{number}", b"vectors", 3) for number in (1, 2, 3, 5)
    ]
    assert [(line.number, line.custom_id, line.failed) for line in results(store, ended, failed=True)] == [
        (4, None, True),
        (6, "id-6", True),
    ]
    assert store.next_turn("") is None


def test_a_line_larger_than_a_chunk_is_taken_alone(store):
    store.add(order(), [*lines(1, inputs=50), *lines(1, start=2)])
    assert [line.number for line in taken(store, store.next_turn(""))] == [1]


def test_results_are_read_in_parts(store):
    made = store.add(order(), lines(3))
    batch = store.next_turn("")
    large = b"x" * 600_000
    store.commit(batch, [Line(line.number, line.custom_id, 1, large) for line in taken(store, batch)])
    assert [[line.number for line in part] for part in store.results(made, failed=False)] == [[1, 2], [3]]


def test_another_owner_learns_nothing(store):
    made = store.add(order(), lines(1))
    answers = []
    for call in (store.get, store.cancel):
        for name in (made.id, "batch_none"):
            with pytest.raises(Problem) as raised:
                call(name, "bert")
            answers.append((raised.value.status, raised.value.code, raised.value.detail))
    assert set(answers) == {(404, "RESOURCE_NOT_FOUND", "There is no batch of this id, or it is another's.")}
    assert store.newest("bert", 10) == []
    assert store.get(made.id, "anna").status == "pending"


def test_the_newest_come_first(store):
    made = [store.add(order(), lines(1)).id for _ in range(3)]
    assert [batch.id for batch in store.newest("anna", 2)] == made[:0:-1]


def test_owners_take_turns(store):
    ids = [store.add(order(owner), lines(2)).id for owner in ("anna", "anna", "bert", "cleo")]
    turns, owner = [], ""
    for _ in range(4):
        batch = store.next_turn(owner)
        turns.append(batch.id)
        owner = batch.owner
    assert turns == [ids[0], ids[2], ids[3], ids[0]]


def test_what_was_done_stays_when_a_batch_is_cancelled(store):
    made = store.add(order(), lines(5))
    batch = store.next_turn("")
    chunk = taken(store, batch, max_inputs=2)
    store.commit(batch, [done(line) for line in chunk])
    late = taken(store, batch, max_inputs=2)
    cancelled = store.cancel(made.id, "anna")
    assert (cancelled.status, cancelled.completed, cancelled.completed_at) == ("cancelled", 2, 1_000_000.0)
    assert not store.commit(batch, [done(line) for line in late])
    assert [line.number for line in results(store, cancelled)] == [1, 2]
    assert store.next_turn("") is None
    store.sweep()
    assert taken(store, cancelled) == []
    assert [line.number for line in results(store, cancelled)] == [1, 2]
    assert store.cancel(made.id, "anna") == cancelled


def test_a_line_is_never_kept_twice(store):
    store.add(order(), lines(5))
    batch = store.next_turn("")
    chunk = [done(line) for line in taken(store, batch, max_inputs=2)]
    store.commit(batch, chunk)
    with pytest.raises(RuntimeError, match="2 lines"):
        store.commit(batch, chunk)
    assert store.get(batch.id, "anna").completed == 2


def test_a_batch_expires_and_its_lines_go(store, clock):
    finished, unfinished = store.add(order("anna"), lines(2)), store.add(order("bert"), lines(2))
    batch = store.next_turn("")
    store.commit(batch, [done(line) for line in taken(store, batch)])
    clock.now += DAY - 1
    store.sweep()
    assert store.get(finished.id, "anna").status == "completed"
    reading = store.results(finished, failed=False)
    clock.now += 1
    assert store.next_turn("") is None
    assert not store.sweep()
    assert store.get(finished.id, "anna").status == store.get(unfinished.id, "bert").status == "expired"
    assert store.get(finished.id, "anna").completed_at == 1_000_000.0
    with pytest.raises(Problem) as raised:
        next(reading)
    assert raised.value.status == 404
    with closing(sqlite3.connect(store.folder / "batches.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM lines").fetchone() == (0,)
    clock.now += 7 * DAY
    store.sweep()
    assert store.newest("anna", 10) == []


def test_many_lines_are_removed_in_steps(store, clock):
    big = BatchStore(store.folder, clock=clock)
    big.add(order(), lines(2500))
    clock.now += DAY
    assert [big.sweep() for _ in range(3)] == [True, True, False]
    big.close()


def test_a_batch_that_fails_is_deferred_and_ended(store, clock):
    made = store.add(order(webhook_url="http://h/"), lines(2))
    store.defer(store.next_turn(""), 30)
    assert store.next_turn("") is None
    clock.now += 30
    batch = store.next_turn("")
    assert batch.attempts == 1
    store.fail(batch, "The model is gone.")
    ended = store.get(made.id, "anna")
    assert (ended.status, ended.error) == ("failed", "The model is gone.")
    assert [each.id for each in store.to_notify(5)] == [made.id]


def test_what_was_begun_is_counted_until_it_is_told_how_it_ended(store, clock):
    made = store.add(order(), lines(3))

    def begun():
        return store.get(made.id, "anna").begun

    assert [store.next_turn("").begun for _ in range(3)] == [1, 2, 3]
    store.close()  # as when the process is killed
    assert begun() == 3
    batch = store.next_turn("")
    store.put_back(batch)
    assert begun() == 3
    store.commit(batch, [done(line) for line in taken(store, batch, max_inputs=1)])
    assert begun() == 0
    store.put_back(batch)
    assert begun() == 0
    store.defer(store.next_turn(""), 30)
    assert begun() == 0


def test_notices_are_repeated_until_told(store, clock):
    store.add(order(webhook_url="http://h/"), lines(1))
    batch = store.next_turn("")
    assert store.to_notify(5) == []
    store.commit(batch, [done(line) for line in taken(store, batch)])
    (due,) = store.to_notify(5)
    store.notified(due, again_after=60)
    assert store.to_notify(5) == []
    clock.now += 60
    (due,) = store.to_notify(5)
    assert due.notices == 1
    store.notified(due)
    clock.now += DAY / 2
    assert store.to_notify(5) == []


def test_only_so_many_lines_wait(store):
    store.add(order("anna"), lines(60))
    with pytest.raises(Problem, match="more than 60 lines") as raised:
        store.add(order("anna"), lines(1))
    assert (raised.value.status, raised.value.headers) == (429, {"Retry-After": "60"})
    with pytest.raises(Problem) as raised:
        store.add(order("bert"), lines(1, inputs=41))
    assert raised.value.status == 503
    store.cancel(store.newest("anna", 1)[0].id, "anna")
    store.add(order("anna"), lines(1))
    assert len(store.newest("anna", 10)) == 2
    assert store.newest("bert", 10) == []


def test_only_so_many_bytes_are_kept(tmp_path):
    store = BatchStore(tmp_path, max_bytes=500_000)
    store.add(order(), [Line(1, "a", 1, b"x" * 300_000)])
    with pytest.raises(Problem) as raised:
        store.add(order(), [Line(1, "a", 1, b"x" * 300_000)])
    assert raised.value.status == 503
    store.close()


@pytest.mark.parametrize(
    ("given", "status"), [([], 400), (lines(MAX_LINES + 1), 413), (lines(2, inputs=MAX_LINES // 2 + 1), 413)]
)
def test_a_batch_of_the_wrong_size_is_refused_whole(tmp_path, given, status):
    store = BatchStore(tmp_path)
    with pytest.raises(Problem) as raised:
        store.add(order(), given)
    assert raised.value.status == status
    assert store.newest("anna", 10) == []
    store.close()


def test_a_folder_of_another_release_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "batches.sqlite3")) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(ConfigError, match="version 9"):
        BatchStore(tmp_path).open()


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be kept"):
        BatchStore(tmp_path / "file" / "batches").open()


@settings(max_examples=20)
@given(st.data())
def test_every_line_is_in_one_place_whatever_happens(tmp_path_factory, data):
    """Chunks of any size, some of them never committed, and stores opened anew: each line is done once."""
    folder = tmp_path_factory.mktemp("batches")
    store = BatchStore(folder)
    count = data.draw(st.integers(1, 20))
    made = store.add(order(), lines(count))
    while batch := store.next_turn(""):
        chunk = taken(store, batch, data.draw(st.integers(1, 10)))
        if data.draw(st.booleans()):  # killed
            store.close()
            store = BatchStore(folder)
            continue
        store.commit(
            batch, [done(each) if data.draw(st.booleans()) else each.failed_with(problem(400, "x")) for each in chunk]
        )
    ended = store.get(made.id, "anna")
    kept = [results(store, ended, failed=failed) for failed in (False, True)]
    assert Counter(line.number for part in kept for line in part) == Counter(range(1, count + 1))
    assert (ended.status, ended.completed, ended.failed) == ("completed", len(kept[0]), len(kept[1]))
    store.close()
