import random
import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from stored_batches import Clock, done, emptied, lines, order, results, taken

from jina_components.service.batches import adding
from jina_components.service.batches.adding import Room
from jina_components.service.batches.jobs import Line
from jina_components.service.batches.rows import MAX_LINES
from jina_components.service.batches.store import DAY, BatchStore
from jina_components.service.database import Database
from jina_components.service.database.tables import BATCHES, LINES
from jina_components.service.errors import Problem, problem

LEASE = 10.0


@pytest.fixture(scope="module")
def database(make_database_url):
    database = Database(make_database_url())
    yield database
    database.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(database, clock):
    return BatchStore(emptied(database), clock=clock, lease=LEASE, room=Room(lines=100, lines_of_owner=60))


def rows(database, table):
    with database.connected() as db:
        return db.execute(select(func.count()).select_from(table)).scalar_one()


def test_lines_become_results_in_their_order(store):
    bad = Line(4, None, 0, b"").failed_with(problem(400, "It is bad."))
    made = store.add(order(), [*lines(3), bad, *lines(2, start=5)])
    assert (made.status, made.total, made.completed, made.failed) == ("pending", 6, 0, 1)
    batch = store.next_turn("")
    assert (batch.id, batch.status) == (made.id, "processing")
    first = taken(store, batch, max_inputs=2)
    assert [line.number for line in first] == [1, 2]
    assert store.commit(batch, [done(line) for line in first])
    batch = store.next_turn("")
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


def test_a_batch_whose_lines_have_all_failed_is_completed(store):
    bad = Line(1, None, 0, b"").failed_with(problem(400, "It is bad."))
    made = store.add(order(), [bad])
    batch = store.next_turn("")
    assert taken(store, batch) == []
    store.commit(batch, [])
    assert store.get(made.id, "anna").status == "completed"


def test_all_that_was_ordered_is_kept(store):
    asked = order(
        "bert", key_id="key_1", model="n", task="retrieval.query", dimensions=64, normalized=False, truncate=True,
        webhook_url="https://h/ü", base_url="http://y/", request_id="q",
    )  # fmt: skip
    made = store.add(asked, lines(1))
    assert {name: getattr(made, name) for name in asked.__slots__} == {
        name: getattr(asked, name) for name in asked.__slots__
    }
    assert store.get(made.id, "bert") == made


def test_a_line_larger_than_a_chunk_is_taken_alone(store):
    store.add(order(), [*lines(1, inputs=50), *lines(1, start=2)])
    assert [line.number for line in taken(store, store.next_turn(""))] == [1]
    store.add(order("bert"), [Line(1, "a", 1, b"x" * 20_000), *lines(1, start=2)])
    assert [line.number for line in taken(store, store.next_turn("anna"))] == [1]


def test_results_are_read_in_parts(store):
    made = store.add(order(), lines(3))
    batch = store.next_turn("")
    large = b"x" * 500_000
    store.commit(batch, [Line(line.number, line.custom_id, 1, large) for line in taken(store, batch)])
    assert [[line.number for line in part] for part in store.results(made, failed=False)] == [[1, 2], [3]]


def test_another_owner_learns_nothing(store):
    made = store.add(order(), lines(1))
    answers = []
    for call in (store.get, store.cancel):
        for name in (made.id, made.id[:-1], "batch_none", "", "\0", "\ud800", made.id + "\0"):
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
        store.put_back(batch)
    assert turns == [ids[0], ids[2], ids[3], ids[0]]


def test_a_batch_has_one_turn_at_a_time(store, clock):
    ids = [store.add(order(), lines(2)).id for _ in range(2)]
    turns = [store.next_turn("") for _ in range(3)]
    assert [turn and turn.id for turn in turns] == [*ids, None]
    clock.now += LEASE - 1
    assert store.renew(turns[0])
    clock.now += 1
    again = store.next_turn("")
    assert (again.id, again.begun) == (ids[1], 2)
    assert store.next_turn("") is None
    store.put_back(turns[0])
    assert store.next_turn("").id == ids[0]


def test_what_is_made_in_a_turn_that_is_over_is_not_kept(store, clock):
    made = store.add(order(webhook_url="http://h/"), lines(4))
    late = store.next_turn("")
    chunk = taken(store, late, max_inputs=2)
    clock.now += LEASE
    batch = store.next_turn("")
    assert not store.renew(late)
    assert not store.commit(late, [done(line) for line in chunk])
    for end in (lambda: store.fail(late, "x"), lambda: store.defer(late, 60), lambda: store.put_back(late)):
        end()
        assert store.get(made.id, "anna") == batch
    assert store.commit(batch, [done(line) for line in chunk])
    assert not store.commit(batch, [done(line) for line in chunk])
    assert store.get(made.id, "anna").completed == 2


def test_a_line_is_never_kept_twice(store):
    store.add(order(), lines(5))
    batch = store.next_turn("")
    chunk = [done(line) for line in taken(store, batch, max_inputs=2)]
    store.commit(batch, chunk)
    with pytest.raises(RuntimeError, match="2 lines"):
        store.commit(store.next_turn(""), chunk)
    assert store.get(batch.id, "anna").completed == 2


def test_what_was_done_stays_when_a_batch_is_cancelled(store):
    made = store.add(order(), lines(5))
    batch = store.next_turn("")
    store.commit(batch, [done(line) for line in taken(store, batch, max_inputs=2)])
    batch = store.next_turn("")
    late = taken(store, batch, max_inputs=2)
    cancelled = store.cancel(made.id, "anna")
    assert (cancelled.status, cancelled.completed, cancelled.completed_at) == ("cancelled", 2, 1_000_000.0)
    assert not store.commit(batch, [done(line) for line in late])
    assert [line.number for line in results(store, cancelled)] == [1, 2]
    assert store.next_turn("") is None
    while store.sweep():
        pass
    assert taken(store, cancelled) == []
    assert [line.number for line in results(store, cancelled)] == [1, 2]
    assert store.cancel(made.id, "anna") == cancelled


def test_a_batch_expires_and_its_lines_go(store, clock, database):
    finished, unfinished = store.add(order("anna"), lines(2)), store.add(order("bert"), lines(2))
    batch = store.next_turn("")
    store.commit(batch, [done(line) for line in taken(store, batch)])
    clock.now += DAY - 1
    store.sweep()
    assert store.get(finished.id, "anna").status == "completed"
    reading = store.results(finished, failed=False)
    clock.now += 1
    assert store.next_turn("") is None
    while store.sweep():
        pass
    assert store.get(finished.id, "anna").status == store.get(unfinished.id, "bert").status == "expired"
    assert store.get(finished.id, "anna").completed_at == 1_000_000.0
    with pytest.raises(Problem) as raised:
        next(reading)
    assert raised.value.status == 404
    assert rows(database, LINES) == 0
    clock.now += 7 * DAY
    store.sweep()
    assert store.newest("anna", 10) == []


def test_many_lines_are_removed_in_steps(database, clock):
    store = BatchStore(emptied(database), clock=clock)
    store.add(order(), lines(2500))
    clock.now += DAY
    left = []
    while store.sweep():
        left.append(rows(database, LINES))
    assert left == [1500, 500, 0]
    if database.dialect == "sqlite":  # the file is cut, too
        with database.connected() as db:
            assert db.execute(text("PRAGMA freelist_count")).scalar_one() == 0


def test_a_batch_is_seen_whole_or_not_at_all(database, clock, monkeypatch):
    """While it comes, in several transactions, and also when its maker does not come back."""
    monkeypatch.setattr(adding, "_PART_LINES", 10)
    store, seen = BatchStore(emptied(database), clock=clock), []

    def coming(count):
        for line in lines(count):
            seen.append((store.newest("anna", 10), store.next_turn(""), store.sweep()))
            yield line

    made = store.add(order(), coming(35))
    assert set(map(str, seen)) == {"([], None, False)"}
    assert (rows(database, LINES), store.newest("anna", 10)) == (35, [made])
    store.cancel(made.id, "anna")

    def broken():
        yield from lines(25)
        raise problem(422, "The rest is missing.")

    with pytest.raises(Problem, match="rest is missing"):
        store.add(order("bert"), broken())
    assert rows(database, LINES) == 35 + 20
    while store.sweep():
        pass
    assert (rows(database, LINES), rows(database, BATCHES)) == (0, 1)

    def late():
        yield from lines(15)
        clock.now += 600
        while store.sweep():  # as after its process was killed
            pass
        yield from lines(15, start=16)

    with pytest.raises(Problem, match="too slowly") as raised:
        store.add(order("bert"), late())
    assert raised.value.status == 503
    assert (rows(database, LINES), rows(database, BATCHES)) == (0, 1)


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

    for count in (1, 2, 3):  # killed each time
        batch = store.next_turn("")
        assert batch.begun == begun() == count
        clock.now += LEASE
    batch = store.next_turn("")
    store.put_back(batch)
    assert begun() == 3
    batch = store.next_turn("")
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
    assert store.to_notify(5) == []  # it is being told
    clock.now += 60
    (due,) = store.to_notify(5)  # whoever did was killed
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
    for _ in range(3):
        with pytest.raises(Problem, match="more than 60 lines") as raised:
            store.add(order("anna"), lines(1))
        assert (raised.value.status, raised.value.headers) == (429, {"Retry-After": "60"})
        with pytest.raises(Problem) as raised:
            store.add(order("bert"), lines(1, inputs=41))
        assert raised.value.status == 503
    store.cancel(store.newest("anna", 1)[0].id, "anna")
    store.add(order("anna"), lines(1))
    store.add(order("bert"), lines(1, inputs=40))
    assert len(store.newest("anna", 10)) == 2


def test_only_so_many_bytes_are_kept(database, clock):
    store = BatchStore(emptied(database), clock=clock, room=Room(bytes=500_000))
    store.add(order(), [Line(1, "a", 1, b"x" * 200_000)])
    batch = store.next_turn("")
    store.commit(batch, [Line(1, "a", 1, b"x" * 200_000)])
    for _ in range(2):
        with pytest.raises(Problem) as raised:
            store.add(order(), [Line(1, "a", 1, b"x" * 200_000)])
        assert raised.value.status == 503
        while store.sweep():
            pass
    clock.now += DAY
    while store.sweep():
        pass
    store.add(order(), [Line(1, "a", 1, b"x" * 200_000)])


@pytest.mark.parametrize(
    ("given", "status"), [([], 400), (lines(MAX_LINES + 1), 413), (lines(2, inputs=MAX_LINES // 2 + 1), 413)]
)
def test_a_batch_of_the_wrong_size_is_refused_whole(database, given, status):
    store = BatchStore(emptied(database))
    with pytest.raises(Problem) as raised:
        store.add(order(), given)
    assert raised.value.status == status
    assert store.newest("anna", 10) == []
    while store.sweep():
        pass
    assert (rows(database, LINES), rows(database, BATCHES)) == (0, 0)


@settings(max_examples=20)
@given(st.data())
def test_every_line_is_in_one_place_whatever_happens(database, data):
    """Chunks of any size, some of them never committed or too late: each line is done once."""
    clock = Clock()
    store = BatchStore(emptied(database), clock=clock)
    count = data.draw(st.integers(1, 20))
    made = store.add(order(), lines(count))
    late = []
    while batch := store.next_turn(""):
        chunk = taken(store, batch, data.draw(st.integers(1, 10)))
        became = [done(each) if data.draw(st.booleans()) else each.failed_with(problem(400, "x")) for each in chunk]
        if data.draw(st.booleans()):  # killed, or only slow
            clock.now += LEASE
            late.append((batch, became))
            continue
        assert store.commit(batch, became) is not None
        assert not any(store.commit(*each) for each in late)
    ended = store.get(made.id, "anna")
    kept = [results(store, ended, failed=failed) for failed in (False, True)]
    assert Counter(line.number for part in kept for line in part) == Counter(range(1, count + 1))
    assert (ended.status, ended.completed, ended.failed) == ("completed", len(kept[0]), len(kept[1]))


def test_workers_at_once_never_have_the_same_lines(database):
    """Several threads with connections of their own, some of whose turns end before they do."""
    store = BatchStore(emptied(database), lease=0.02)
    made = [store.add(order(owner), lines(40)) for owner in ("anna", "anna", "bert")]
    kept, failures = [], []

    def work(seed):
        rng = random.Random(seed)
        try:
            while any(store.get(batch.id, batch.owner).status != "completed" for batch in made):
                if (batch := store.next_turn("")) is None:
                    continue
                chunk = taken(store, batch, rng.randint(1, 5))
                if rng.random() < 0.2:
                    store.sweep()
                    threading.Event().wait(0.03)
                if store.commit(batch, [done(line) for line in chunk]):
                    kept.extend((batch.id, line.number) for line in chunk)
        except Exception as error:  # noqa: BLE001 (raised below)
            failures.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    assert Counter(kept) == Counter((batch.id, number) for batch in made for number in range(1, 41))
    assert all(store.get(batch.id, batch.owner).completed == 40 for batch in made)
