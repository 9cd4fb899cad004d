"""A store in several processes."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from store_samples import filled, found, ids, numbered, unit_vectors

from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss import database
from jina_components.retriever.stores.faiss.store import FaissStore

HERE = Path(__file__).parent
IMPORTS = """
import os, sys
from store_samples import filled, found, ids, nearest, numbered, unit_vectors
from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss import maintenance
from jina_components.retriever.stores.faiss.store import FaissStore
"""


def started(script, *arguments, stderr=None):
    paths = os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", IMPORTS + script, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def test_readers_see_every_commit_of_another_process(tmp_path):
    script = """
with FaissStore(sys.argv[1]) as store:
    for line in sys.stdin:
        words = found(store, line.strip())
        print(store.count(), len(ids(store)), *words, flush=True)
"""
    with filled(tmp_path / "index", 5) as store, started(script, tmp_path / "index") as reader:

        def seen(query):
            reader.stdin.write(query + "\n")
            reader.stdin.flush()
            return reader.stdout.readline().split()

        assert seen("number2") == ["5", "5", "d2"]
        for round_number in range(1, 6):
            store.put(numbered(10, round_number * 10), unit_vectors(10))
            assert seen(f"number{round_number * 10}")[2:] == [f"d{round_number * 10}"]
            store.delete([f"d{round_number}"])
            assert seen(f"number{round_number}")[0] == str(store.count())
            if round_number % 2:
                store.compact()
            assert seen(f"number{round_number * 10 + 1}")[2:] == [f"d{round_number * 10 + 1}"]
        store.save_to(tmp_path / "other")
        store.close()
        assert seen("number50")[2:] == ["d50"]
        reader.stdin.close()
        assert reader.wait(30) == 0


def test_writers_at_once_lose_nothing(tmp_path):
    script = """
maintenance._MIN_DELETED = 5
maintenance._MIN_UNSAVED = 20
first = int(sys.argv[2])
with FaissStore(sys.argv[1]) as store:
    for n in range(first, first + 30):
        store.put(numbered(2, 2 * n), unit_vectors(2, seed=n))
        if n % 3 == 0:
            store.delete([f"d{2 * n}"])
        if n % 10 == 0:
            store.compact()
        assert found(store, f"number{2 * n + 1}") == [f"d{2 * n + 1}"]
print("done")
"""
    writers = [started(script, tmp_path / "index", first) for first in (0, 1000)]
    assert [writer.communicate(timeout=120)[0] for writer in writers] == ["done\n"] * 2
    with FaissStore(tmp_path / "index", must_exist=True) as store:
        expected = {f"d{2 * n + 1}" for first in (0, 1000) for n in range(first, first + 30)}
        expected |= {f"d{2 * n}" for first in (0, 1000) for n in range(first, first + 30) if n % 3}
        assert set(ids(store)) == expected
        assert all(found(store, f"number{name[1:]}") == [name] for name in sorted(expected)[::5])
        assert not store.verify().problems


def test_a_writer_that_does_not_end_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.1)
    with filled(tmp_path / "index", 5) as store:
        other = sqlite3.connect(tmp_path / "index" / "documents.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store.close()
        with pytest.raises(IndexFilesError, match="another process is writing"):
            store.put(numbered(1), unit_vectors(1))
        assert found(store, "number3") == ["d3"]
        other.close()
        store.put(numbered(1, 9), unit_vectors(1))
        assert store.count() == 6


def test_a_process_may_end_in_the_midst_of_the_work(tmp_path):
    script = """
import numpy as np
store, memory = FaissStore(sys.argv[1]), FaissStore()
vectors = unit_vectors(30_000, dimensions=32)
for one in (memory, store):
    one.put(numbered(30_000), vectors)
    one.delete([f"d{n}" for n in range(8_000)])
"""
    with started(script, tmp_path / "index", stderr=subprocess.PIPE) as process:
        assert process.communicate(timeout=100) == ("", "")
    assert process.returncode == 0
    with FaissStore(tmp_path / "index") as store:
        assert store.count() == 22_000
        assert not store.verify().problems


def test_forked_children_go_on_by_themselves(tmp_path):
    script = """
import signal, threading, time
store, memory = filled(sys.argv[1], 50), filled(None, 50)
done = threading.Event()
def write():
    number = 100
    while not done.is_set():
        store.put(numbered(1, number), unit_vectors(1, seed=number))
        number += 1
        time.sleep(0.01)
thread = threading.Thread(target=write)
thread.start()
for n in range(10):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        try:
            assert found(store, "number3") == ["d3"]
            store.put(numbered(1, 5000 + n), unit_vectors(1, seed=n))
            if n == 5:
                store.compact()
            assert found(memory, "number3") == ["d3"]
            assert nearest(memory, unit_vectors(50)[7]) == ["d7"]
            try:
                memory.delete(["d1"])
            except IndexFilesError as error:
                assert "forked" in str(error)
            else:
                raise AssertionError
            os._exit(0)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
done.set()
thread.join()
with memory._engine.working():
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            memory.compact()
        except IndexFilesError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
assert None not in store.keys_of([f"d{5000 + n}" for n in range(10)])
assert memory.delete(["d1"]) == 1
assert not store.verify().problems
store.close()
memory.close()
print("done")
"""
    with started(script, tmp_path / "index") as process:
        assert process.communicate(timeout=100)[0] == "done\n"
