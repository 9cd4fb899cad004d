"""A batch is charged for what is done of it: once, and to the key that sent it."""

import asyncio
import json
import multiprocessing
import os
import random
import time
from datetime import date

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient
from stored_batches import Clock, done, emptied, lines, order, results, taken

from jina_components.service import Components, ServiceSettings
from jina_components.service.accounts.keys import Keys
from jina_components.service.accounts.usage import usage
from jina_components.service.batches import worker
from jina_components.service.batches.jobs import Line
from jina_components.service.batches.rows import DONE
from jina_components.service.batches.store import BatchStore
from jina_components.service.batches.webhooks import Webhooks
from jina_components.service.batches.worker import BatchWorker
from jina_components.service.database import Database
from jina_components.service.database.tables import BATCHES, ENTRIES, KEYS, LINES, USAGE
from jina_components.service.errors import problem
from jina_components.service.metrics import Metrics

MODEL = "static-minilm-v1"
GRANT = 10_000_000


@pytest.fixture(scope="module")
def url(make_database_url):
    return make_database_url()


@pytest.fixture(scope="module")
def database(url):
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def keys(database):
    return Keys(emptied(database))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(keys, clock):
    return BatchStore(keys.database, clock=clock)


def made_key(keys, **options):
    return keys.create(name="a key", grant=GRANT, **options)[0].id


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def used(keys):
    return usage(keys.database, since=date(1970, 1, 1), until=date(2999, 1, 1), by=("product", "model"))


def ended(client, id):
    while (status := client.get(f"/v1/batch/{id}").json())["status"] in ("pending", "processing"):
        time.sleep(0.05)
    return status


def failures(store, batch):
    return [(line.number, json.loads(line.content)) for line in results(store, batch, failed=True)]


def check_books(database):
    """Tokens and numbers of lines done, of batches that each have a key of their own, as every table has them."""

    def total(column, *where):
        return select(func.coalesce(func.sum(column), 0)).where(*where).scalar_subquery()

    its_lines = (LINES.c.batch == BATCHES.c.number, LINES.c.state == DONE)
    its_charges = (ENTRIES.c.key_id == BATCHES.c.key_id, ENTRIES.c.kind == "charge")
    its_usage = USAGE.c.key_id == BATCHES.c.key_id
    balance = select(KEYS.c.balance).where(KEYS.c.id == BATCHES.c.key_id).scalar_subquery()
    tokens = (
        BATCHES.c.tokens, total(LINES.c.tokens, *its_lines), -total(ENTRIES.c.tokens, *its_charges),
        total(USAGE.c.tokens, its_usage), GRANT - balance,
    )  # fmt: skip
    items = (
        BATCHES.c.completed, select(func.count()).where(*its_lines).scalar_subquery(),
        total(ENTRIES.c["items"], *its_charges), total(USAGE.c["items"], its_usage),
    )  # fmt: skip
    with database.connected() as db:  # one statement, so that others may work meanwhile
        found = db.execute(select(*(column.label(f"c{place}") for place, column in enumerate((*tokens, *items))))).all()
    for row in found:
        assert len({int(each) for each in row[: len(tokens)]}) == len({int(each) for each in row[len(tokens) :]}) == 1
    return sum(row[len(tokens)] for row in found)


def test_what_is_done_is_charged_and_what_failed_is_not(store, keys):
    key = made_key(keys)
    store.add(order(key_id=key), lines(5))
    batch = store.next_turn("")
    first, second, third = taken(store, batch, max_inputs=3)
    store.commit(batch, [done(first, 5), second.failed_with(problem(400, "Too long.")), done(third, 6)])
    batch = store.next_turn("")
    store.commit(batch, [done(line, 7) for line in taken(store, batch)])
    assert keys.get(key).balance == GRANT - 25
    (row,) = used(keys)
    assert (row.product, row.model, row.requests, row.items, row.tokens) == ("batch", "m", 0, 4, 25)
    check_books(keys.database)


def test_a_turn_that_is_over_costs_nothing(store, keys, clock):
    key = made_key(keys)
    store.add(order(key_id=key), lines(2))
    late = store.next_turn("")
    chunk = [done(line) for line in taken(store, late)]
    clock.now += store.lease
    batch = store.next_turn("")
    assert not store.commit(late, chunk)
    assert keys.get(key).balance == GRANT
    assert store.commit(batch, chunk)
    assert not store.commit(late, chunk)
    assert keys.get(key).balance == GRANT - 6


def test_a_batch_that_no_key_sent_costs_nobody(store, keys):
    store.add(order(), lines(2))
    batch = store.next_turn("")
    assert store.refusal(batch) is None
    store.commit(batch, [done(line) for line in taken(store, batch)])
    assert store.get(batch.id, "anna").status == "completed"
    assert used(keys) == []


@pytest.mark.parametrize("why", ["spent", "revoked"])
def test_lines_fail_whose_key_cannot_pay(store, keys, why):
    key = keys.create(name="a key", grant=5)[0].id
    store.add(order(key_id=key), lines(6))
    batch = store.next_turn("")
    store.commit(batch, [done(line) for line in taken(store, batch, max_inputs=1)])
    assert (keys.get(key).balance, store.refusal(batch)) == (2, None)
    batch = store.next_turn("")
    chunk = [done(line) for line in taken(store, batch, max_inputs=2)]
    if why == "revoked":
        keys.revoke(key)
        wanted = (401, "AUTH_INVALID_API_KEY")
    else:
        store.commit(batch, chunk)
        batch = store.next_turn("")
        chunk = [done(line) for line in taken(store, batch, max_inputs=2)]
        wanted = (403, "AUTHZ_INSUFFICIENT_BALANCE")
    balance = keys.get(key).balance
    told = store.refusal(batch)
    assert (told.status, told.code) == wanted
    store.commit(batch, chunk)
    failed = failures(store, batch)
    assert [number for number, _ in failed] == [line.number for line in chunk]
    assert {(told["status"], told["code"]) for _, told in failed} == {wanted}
    assert keys.get(key).balance == balance == (2 if why == "revoked" else -4)
    if why == "spent":
        keys.grant(key, 100)
        batch = store.next_turn("")
        assert store.refusal(batch) is None
        store.commit(batch, [done(line) for line in taken(store, batch)])
        ended = store.get(batch.id, "anna")
        assert (ended.status, ended.completed, ended.failed) == ("completed", 4, 2)


def test_a_batch_is_paid_by_the_key_that_sent_it(make_app, url, keys):
    """With a balance for some of it: the rest fails, and is told of."""
    key, secret = keys.create(name="a key", grant=10)
    given = [{"custom_id": f"id-{number}", "body": {"input": "x"}} for number in range(600)]
    with TestClient(make_app(database_url=url, needs_keys=True), headers=bearer(secret)) as client:
        answer = client.post("/v1/batch/embeddings", json={"model": MODEL, "input": given})
        status = ended(client, answer.json()["batch_id"])
        errors = client.get(status["error_file_url"]).text.splitlines()
        metrics = client.get("/metrics").text
    stats = status["stats"]
    for counter, number in (("items", stats["completed"]), ("tokens", stats["total_tokens"])):
        assert f'jina_{counter}_total{{model="{MODEL}",product="batch"}} {float(number)}\n' in metrics
    assert (status["status"], stats["completed"] + stats["failed"]) == ("completed", 600)
    assert 10 <= stats["total_tokens"] == 10 - keys.get(key.id).balance
    codes = [json.loads(line)["error"]["code"] for line in errors]
    assert codes == ["AUTHZ_INSUFFICIENT_BALANCE"] * stats["failed"] != []
    rows = used(keys)
    assert {row.product for row in rows} == {"batch"}
    assert sum(row.items for row in rows) == stats["completed"]
    assert sum(row.tokens for row in rows) == stats["total_tokens"]
    assert sum(row.requests for row in rows) == 1


def test_a_batch_of_a_key_that_was_revoked_ends(make_app, url, keys):
    _, secret = keys.create(name="the new key", owner="anna")
    made = BatchStore(keys.database).add(order(key_id=made_key(keys, owner="anna"), model=MODEL), lines(700))
    keys.revoke(made.key_id)
    with TestClient(make_app(database_url=url, needs_keys=True), headers=bearer(secret)) as client:
        status = ended(client, made.id)
        errors = client.get(status["error_file_url"]).text.splitlines()
    assert (status["status"], status["stats"]["failed"]) == ("completed", 700)
    assert {json.loads(line)["error"]["code"] for line in errors} == {"AUTH_INVALID_API_KEY"}
    assert keys.get(made.key_id).balance == GRANT


def forked_worker(url, data):
    """A process that works on the batches of a database, until it is killed."""
    process = multiprocessing.get_context("fork").Process(target=work, args=(url, data), daemon=True)
    process.start()
    return process


def work(url, data):
    components, store = Components(ServiceSettings(data=data, warm_up=())), BatchStore(Database(url), lease=1.0)
    asyncio.run(BatchWorker(store, components, Webhooks(store, components), Metrics(components)).run())


def killed(process):
    process.kill()
    process.join()
    process.close()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_nothing_is_charged_twice_or_for_nothing_when_workers_are_killed(
    url, database, keys, bundled_embedder, tmp_path, monkeypatch
):
    """Two processes, of which one after the other is killed at work."""
    monkeypatch.setattr(worker, "_MOST_BEGUN", 100)  # no line is blamed
    store = BatchStore(database)
    texts = [json.dumps(f"line {number} " + "of many words about the sea and the wind " * 30) for number in range(600)]
    blank = Line(len(texts) + 1, "blank", 1, b'" "')
    made = [
        store.add(
            order(owner, key_id=made_key(keys), model=MODEL),
            [*(Line(number, None, 1, text.encode()) for number, text in enumerate(texts, 1)), blank],
        )
        for owner in ("anna", "bert", "cleo")
    ]
    rng = random.Random(0)
    held = select(func.count()).where(BATCHES.c.held_until > time.time())
    processes = [forked_worker(url, tmp_path) for _ in range(2)]

    def pause(seconds):
        assert all(process.is_alive() for process in processes)
        time.sleep(seconds)

    try:
        with database.connected() as db:
            while db.execute(held).scalar_one() < 2:  # both are at work
                pause(0.001)
        for _ in range(8):
            before = check_books(database)
            while check_books(database) == before < 3 * len(texts):
                pause(0.002)
            pause(rng.uniform(0, 0.05))
            killed(processes.pop(0))
            processes.append(forked_worker(url, tmp_path))
        assert any(store.get(batch.id, batch.owner).status == "processing" for batch in made), "not killed at work"
        while any(store.get(batch.id, batch.owner).status != "completed" for batch in made):
            pause(0.02)
    finally:
        for process in processes:
            killed(process)
    assert check_books(database) == 3 * len(texts)
    wanted = sum(bundled_embedder.embed([json.loads(text)]).usage.total_tokens for text in texts)
    assert [GRANT - keys.get(batch.key_id).balance for batch in made] == [wanted] * 3
    assert [number for batch in made for number, _ in failures(store, batch)] == [len(texts) + 1] * 3
